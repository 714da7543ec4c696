// `ssh -R`, a tunnel that most machines have. It uses a separate sshd on loopback with keys for this run, and does not read
// or change the ssh configuration of the machine.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../../support/deadline.ts'
import { canConnect } from '../../support/http/raw-connection.ts'
import { findProgram } from '../../support/process/find-program.ts'
import { freePort } from '../../support/process/free-port.ts'
import { processTree } from '../../support/process/process-table.ts'
import { type StartTarget, TargetMissing } from '../target.ts'

/** A folder name that is compiled into Debian's sshd, which does not start as root without this folder. */
const PRIVILEGE_SEPARATION_FOLDER = '/run/sshd'

export const startSshReverse: StartTarget = async ({ processes, backendPort, folder }) => {
  const [ssh, sshd, keygen] = ['ssh', 'sshd', 'ssh-keygen'].map(findProgram)
  if (!ssh || !sshd || !keygen) throw new TargetMissing('ssh, sshd or ssh-keygen is not installed')
  if (process.platform !== 'linux') throw new TargetMissing('an sshd of our own is tried on Linux only')
  if (process.getuid?.() === 0 && !existsSync(PRIVILEGE_SEPARATION_FOLDER)) {
    mkdirSync(PRIVILEGE_SEPARATION_FOLDER, { mode: 0o755 })
  }
  for (const key of ['host', 'user'])
    execFileSync(keygen, ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, key)])
  const sshdPort = await freePort()
  const port = await freePort()
  const config = join(folder, 'sshd_config')
  await writeFile(config, serverConfiguration(folder, sshdPort))
  const server = processes.start({ name: 'sshd', command: sshd, args: ['-D', '-e', '-f', config] })
  // It exits with 255 after SIGTERM.
  server.expectedExitCodes = [0, 255]
  await eventually('sshd listens', async () => (await canConnect(sshdPort)) || undefined)
  const hostKey = await readFile(join(folder, 'host.pub'), 'utf8')
  await writeFile(join(folder, 'known_hosts'), `[127.0.0.1]:${sshdPort} ${hostKey}`)
  const client = processes.start({
    name: 'ssh',
    command: ssh,
    args: clientArguments(folder, sshdPort, port, backendPort),
  })
  client.expectedExitCodes = [0, 255]
  await eventually('ssh forwards', async () => {
    if (!client.running) throw new Error(`ssh ended: ${client.output}\n${server.output}`)
    return (await canConnect(port)) || undefined
  })
  return {
    port,
    host: 'bench.localhost',
    roles: { sshd: () => processTree(server.pid), ssh: () => [client.pid] },
  }
}

function serverConfiguration(folder: string, port: number): string {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${folder}/host`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    `AuthorizedKeysFile ${folder}/user.pub`,
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin prohibit-password',
    'AllowTcpForwarding remote',
    '',
  ].join('\n')
}

function clientArguments(folder: string, sshdPort: number, port: number, backendPort: number): string[] {
  const options = [
    'BatchMode=yes',
    'ExitOnForwardFailure=yes',
    'IdentitiesOnly=yes',
    `UserKnownHostsFile=${folder}/known_hosts`,
    'StrictHostKeyChecking=yes',
  ]
  return [
    '-F',
    'none',
    '-N',
    '-p',
    String(sshdPort),
    '-i',
    join(folder, 'user'),
    ...options.flatMap(option => ['-o', option]),
    '-R',
    `127.0.0.1:${port}:127.0.0.1:${backendPort}`,
    `${userInfo().username}@127.0.0.1`,
  ]
}
