import { Controller, Get, Header, Param, Req, Res } from '@nestjs/common';
import { ApiExcludeController, type OpenAPIObject } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { KeyRing } from '../auth/key-ring';
import { Public, Scope, SCOPES } from '../auth/scope.decorator';
import { DocumentationPage, PAGE, PAGE_STYLE, SWAGGER_FILES, SWAGGER_FOLDER } from './documentation-page';
import { RouteNotFound } from './http.errors';

/** Swagger UI for everybody; what it shows, for whoever has a key. */
@ApiExcludeController()
@Controller()
export class DocumentationController {
  constructor(
    private readonly page: DocumentationPage,
    private readonly keys: KeyRing,
  ) {}

  @Get('docs')
  @Public()
  html(@Req() { path }: Request, @Res() response: Response): void {
    if (path.endsWith('/'))
      response.redirect('../docs'); // what the page names lies beside `/docs`
    else response.type('html').send(PAGE);
  }

  @Get('docs/swagger-ui-init.js')
  @Public()
  @Header('Content-Type', 'text/javascript; charset=utf-8')
  script(): string {
    return this.page.script(!this.keys.required);
  }

  @Get('docs/page.css')
  @Public()
  @Header('Content-Type', 'text/css; charset=utf-8')
  style(): string {
    return PAGE_STYLE;
  }

  @Get('docs/:file')
  @Public()
  file(@Param('file') file: string, @Req() { method, path }: Request, @Res() response: Response): void {
    if (!SWAGGER_FILES.has(file)) throw new RouteNotFound(method, path);
    response.sendFile(file, { root: SWAGGER_FOLDER });
  }

  @Get('docs-json')
  @Scope(...SCOPES)
  json(): OpenAPIObject {
    return this.page.document();
  }
}
