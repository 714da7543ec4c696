# Telephone as an image: docker build -f docker/telephone.Dockerfile -t telephone .
# Settings come from TELEPHONE_* variables or a mounted file: TELEPHONE_CONFIG=/config/telephone.yaml.

ARG NODE_IMAGE=node:26.10.0-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY shared/package.json shared/
COPY plugboard/package.json plugboard/
COPY telephone/package.json telephone/
RUN npm ci
COPY . .
RUN npm run build

FROM ${NODE_IMAGE}
# The Telephone writes a renewed token to its file.
RUN mkdir /tokens && chown node:node /tokens
WORKDIR /app
COPY --from=build /src/telephone/dist ./
USER node
ENV NODE_ENV=production
# Checks the process of this container only. An outage of Plugboard must not mark the application beside it as unhealthy.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["node", "main.js", "check", "--container"]
ENTRYPOINT ["node", "main.js"]
CMD ["start"]
