# The layers on top of the base are what `npm run test:container` measures. Build: docker build -t analytics-api .
# with TensorFlow's own library for TensorFlow.js models (720 MB more, x64 only): --build-arg TFJS_NODE=on
FROM node:24-bookworm-slim AS deps
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# without optional packages: the image has its Node, and needs none from npm
RUN npm ci --omit=optional --no-audit --no-fund && npm cache clean --force

FROM deps AS build
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && find dist -type f ! -name '*.js' -delete

# What serves needs: ONNX Runtime for this processor and no other, of TensorFlow.js the one file that Node loads and the WebAssembly, and nothing
# that only people, compilers and tests read.
FROM deps AS production
RUN npm prune --omit=dev --omit=optional --no-audit --no-fund && cd node_modules \
 && find onnxruntime-node/bin -type f ! -path "*/linux/$(node -p process.arch)/*" -delete \
 && find @tensorflow -type f ! -name package.json ! -name '*.node.js' ! -name '*.wasm' ! -iname '*licen*' -delete \
 && rm -rf */test */tests */docs */example */examples @*/*/test @*/*/tests @*/*/docs @*/*/examples bare-*/prebuilds rxjs/src .package-lock.json \
 && find . -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.spec.js' -o -name '*.test.js' -o -name '*.tsbuildinfo' \) -delete \
 && find . -type f -iname '*.md' ! -iname '*licen*' -delete \
 && find . -type d -empty -delete \
 && node -e "require('onnxruntime-node'); for (const part of ['core', 'layers', 'converter', 'backend-cpu', 'backend-wasm']) require('@tensorflow/tfjs-' + part)"

# one stage for both: not every builder looks for a stage by the value of an argument
FROM production AS packages
ARG TFJS_NODE=off
COPY scripts/tfjs-node.sh /tmp/
# what the service has already stays what it is
RUN [ "$TFJS_NODE" != on ] || { apt-get update -qq && apt-get install -y -qq --no-install-recommends g++ python3-pip \
 && sh /tmp/tfjs-node.sh /native && cp -rn /native/node_modules/. /app/node_modules/; }

# PID 1 has to hand signals on and to reap orphans (of `docker exec`, say); Node does the first only.
FROM node:24-bookworm-slim AS init
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends tini

FROM node:24-bookworm-slim
WORKDIR /app
COPY --from=init /usr/bin/tini /usr/bin/tini
# engine hosts are bound to their server and to their memory by these two; without them they run unbound, and nobody would notice
RUN test -x /usr/bin/setpriv && test -x /usr/bin/prlimit \
 && mkdir models backups logs && chown node:node models backups logs \
 && ln -s /app/dist/main.js /usr/local/bin/analytics-api
COPY --from=packages /app/node_modules node_modules
COPY package.json LICENSE ./
COPY examples/iris examples/iris
COPY --from=build --chmod=755 /app/dist dist
# Everybody on the container's networks reaches 0.0.0.0: the start is refused until the environment says who may (API_KEY, AUTH_MODE).
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4100
USER node
EXPOSE 4100
# declared, so that a read-only root needs no more than `--tmpfs /tmp`
VOLUME ["/app/models", "/app/backups", "/app/logs"]
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "require('node:http').get({ port: process.env.PORT, path: '/health/ready', timeout: 4000 }, (answer) => process.exit(answer.statusCode === 200 ? 0 : 1)).on('timeout', () => process.exit(1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "analytics-api"]
# the last, so that another commit changes no layer above
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="analytics-api" \
      org.opencontainers.image.description="A model registry and inference server in one: upload an ONNX model, get a versioned REST endpoint." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim"
