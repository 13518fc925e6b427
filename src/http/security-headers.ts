import helmet from 'helmet';

/**
 * What every answer tells a browser: to guess no types, to show us in no frame, to run nothing but our own files. The page of the
 * documentation has no script and no style of its own; Swagger UI draws its icons from data.
 */
export function securityHeaders(): ReturnType<typeof helmet> {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    strictTransportSecurity: false, // whoever speaks TLS in front of us says so
    xFrameOptions: { action: 'deny' },
  });
}
