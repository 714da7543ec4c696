// A plain nginx reverse proxy with keep-alive to the backend: the measure for anything on one machine.

import { nginxProgram, startNginx } from '../nginx.ts'
import { type StartTarget, TargetMissing } from '../target.ts'

export const startNginxProxy: StartTarget = async ({ processes, backendPort, folder }) => {
  if (!nginxProgram()) throw new TargetMissing('nginx is not installed')
  const nginx = await startNginx(processes, folder, 'nginx-proxy', {
    upstreams: `upstream backend { server 127.0.0.1:${backendPort}; keepalive 128; keepalive_requests 100000000; }`,
    locations: `location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_field;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }`,
  })
  return { port: nginx.port, host: 'bench.localhost', roles: { proxy: () => [nginx.child.pid] } }
}
