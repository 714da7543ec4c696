// Starts nginx as one foreground process with all its files in one folder, as a reverse proxy for comparison or as the fast
// backend of small requests.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../support/deadline.ts'
import { rawExchange } from '../support/http/raw-connection.ts'
import type { Child } from '../support/process/child.ts'
import { findProgram } from '../support/process/find-program.ts'
import { freePort } from '../support/process/free-port.ts'
import type { Processes } from '../support/process/processes.ts'

export interface Nginx {
  readonly child: Child
  readonly port: number
}

export const nginxProgram = () => findProgram('nginx')

/** `locations`: the text inside of `server { }`. `upstreams`: the text beside it. */
export async function startNginx(
  processes: Processes,
  folder: string,
  name: string,
  { locations, upstreams = '' }: { locations: string; upstreams?: string },
): Promise<Nginx> {
  const program = nginxProgram()
  if (!program) throw new Error('nginx is not installed')
  const port = await freePort()
  const home = join(folder, name)
  await mkdir(home, { recursive: true })
  const config = join(home, 'nginx.conf')
  await writeFile(config, configuration(home, port, locations, upstreams))
  const child = processes.start({ name, command: program, args: ['-p', home, '-c', config, '-e', 'stderr'] })
  await eventually(`${name} answers`, async () => {
    if (child.running) return rawExchange(port, 'HEAD /nginx-ready HTTP/1.0\r\n\r\n', 'HEAD')
    throw new Error(`${name} ended: ${child.output}`)
  })
  return { child, port }
}

function configuration(home: string, port: number, locations: string, upstreams: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
daemon off;
master_process off;
pid ${home}/pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_max_body_size 0;
  ${temporary.map(kind => `${kind}_temp_path ${home}/${kind};`).join('\n  ')}
  map $http_upgrade $connection_field { default upgrade; '' ''; }
  ${upstreams}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /nginx-ready { return 204; }
    ${locations}
  }
}
`
}
