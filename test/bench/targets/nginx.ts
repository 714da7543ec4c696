// A plain nginx reverse proxy with keep-alive to the backend, as the reference for all targets on one machine.

import { freePort } from '../../support/process/free-port.ts'
import { nginxProgram, startNginx } from '../nginx.ts'
import { type StartTarget, TargetMissing } from '../target.ts'

export const startNginxProxy: StartTarget = async ({ processes, backendPort, folder, front }) => {
  if (!nginxProgram()) throw new TargetMissing('nginx is not installed')
  const tlsPort = front && (await freePort())
  const tls = front
    ? `listen 127.0.0.1:${tlsPort} ssl http2 backlog=4096;
    ssl_certificate ${front.certificateFolder}/app.crt;
    ssl_certificate_key ${front.certificateFolder}/app.key;
    ssl_session_cache shared:bench:10m;
    location /echo.Echo/ { grpc_pass grpc://calls; }`
    : ''
  const calls = front ? `upstream calls { server 127.0.0.1:${front.grpcPort}; keepalive 128; }` : ''
  const nginx = await startNginx(processes, folder, 'nginx-proxy', {
    upstreams: `${calls}
  upstream backend { server 127.0.0.1:${backendPort}; keepalive 128; keepalive_requests 100000000; }`,
    locations: `${tls}
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_field;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }`,
  })
  return {
    port: nginx.port,
    host: 'bench.localhost',
    ...(tlsPort !== undefined && { front: { tlsPort, grpcHost: 'bench.localhost' } }),
    roles: { proxy: () => [nginx.child.pid] },
  }
}
