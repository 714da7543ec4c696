// The texts that start a telephone with a new token: a command, units and files for supervisors, and code for the library. No text
// contains the token. The token is in a file that only its owner can read. So the history of a shell and the list of processes do not
// show it. The Telephone can write a renewed token to the file.

import type { IssuedTokenBody } from '../../../../admin/api-types.ts'

export type TokenUse = Pick<IssuedTokenBody, 'name' | 'place' | 'plugboardUrl'>

export interface TextBlock {
  readonly title: string
  readonly text: string
}

export const FORMS = [
  ['http', 'Command'],
  ['systemd', 'systemd'],
  ['compose', 'Compose'],
  ['kubernetes', 'Kubernetes'],
  ['library', 'Library'],
] as const
export type Form = (typeof FORMS)[number][0]

const IMAGE = 'vera-stack/telephone'
const PASTE = 'Run it, paste the token, then press Enter and Ctrl-D.'

export function tokenCommands(form: Form, use: TokenUse): readonly TextBlock[] {
  return WRITERS[form](use)
}

const WRITERS: Readonly<Record<Form, (use: TokenUse) => readonly TextBlock[]>> = {
  http: use => {
    const file = `${slug(use.name)}.jwt`
    const { service, mount } = use.place
    const flags = [
      ...['--plugboard', use.plugboardUrl, '--token-file', file, '--name', use.name],
      ...(service === null ? [] : ['--service', service]),
      ...(mount === null ? [] : ['--mount', mount]),
    ]
    return [
      { title: `Write the token to a file of yours. ${PASTE}`, text: `(umask 077; cat > ${file})` },
      {
        title: 'Expose port 3000 of this machine.',
        text: `npx @vera-stack/telephone http 3000 ${flags.map(shellQuoted).join(' ')}`,
      },
    ]
  },
  systemd: use => {
    const unit = `telephone-${slug(use.name)}`
    const folder = `/var/lib/${unit}`
    return [
      {
        title: `As root: make a user, and write the token to a file of this user. ${PASTE}`,
        text: [
          'id telephone || useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin telephone',
          `install -d -m 0700 -o telephone ${folder}`,
          `(umask 077; cat > ${folder}/token) && chown telephone ${folder}/token`,
        ].join('\n'),
      },
      {
        title: `Write /etc/systemd/system/${unit}.service.`,
        text: [
          '[Unit]',
          'Description=Telephone, tunnel of this machine to Plugboard',
          'Wants=network-online.target',
          'After=network-online.target',
          '',
          '[Service]',
          'ExecStart=/usr/local/bin/telephone start',
          ...environment(use, '127.0.0.1:3000', `${folder}/token`).map(
            ([name, value]) => `Environment=${unitQuoted(`${name}=${value}`)}`,
          ),
          'User=telephone',
          `StateDirectory=${unit}`,
          'StateDirectoryMode=0700',
          'Restart=on-failure',
          'TimeoutStopSec=40',
          'NoNewPrivileges=yes',
          'ProtectSystem=strict',
          'ProtectHome=yes',
          'PrivateTmp=yes',
          '',
          '[Install]',
          'WantedBy=multi-user.target',
        ].join('\n'),
      },
      { title: 'Start it.', text: `systemctl daemon-reload && systemctl enable --now ${unit}` },
    ]
  },
  compose: use => {
    const file = `/tokens/${slug(use.name)}.jwt`
    return [
      {
        title: `Write the token to a volume. ${PASTE}`,
        text: `docker run --rm -i -v telephone-tokens:/tokens --entrypoint sh ${IMAGE} -c 'umask 077; cat > ${file}'`,
      },
      {
        title: 'Add the service to compose.yaml. "app" is the service with your web server.',
        text: [
          'services:',
          '  telephone:',
          `    image: ${IMAGE}`,
          '    restart: unless-stopped',
          '    environment:',
          ...environment(use, 'http://app:3000', file).map(
            // Compose replaces a single dollar sign by a variable.
            ([name, value]) => `      ${name}: ${JSON.stringify(value.replaceAll('$', '$$$$'))}`,
          ),
          '    volumes:',
          '      - telephone-tokens:/tokens',
          'volumes:',
          '  telephone-tokens:',
          '    external: true',
        ].join('\n'),
      },
    ]
  },
  kubernetes: use => {
    const secret = `${slug(use.name)}-telephone`
    return [
      {
        title: `Make a Secret with the token. ${PASTE}`,
        text: `kubectl create secret generic ${secret} --from-file=token=/dev/stdin`,
      },
      {
        title:
          'Add the container and the volume to the pod of the app. docker/kubernetes/app.yaml is a complete example.',
        text: [
          'containers:',
          '  - name: telephone',
          `    image: ${IMAGE}`,
          '    env:',
          ...environment(use, 'http://127.0.0.1:3000', '/tokens/token').flatMap(([name, value]) => [
            `      - name: ${name}`,
            // Kubernetes replaces `$(NAME)` by a variable.
            `        value: ${JSON.stringify(value.replaceAll('$', '$$$$'))}`,
          ]),
          '    livenessProbe:',
          '      exec: { command: [node, main.js, check, --container] }',
          '      periodSeconds: 30',
          '      timeoutSeconds: 10',
          '    volumeMounts:',
          '      - { name: telephone-token, mountPath: /tokens, readOnly: true }',
          'volumes:',
          '  - name: telephone-token',
          '    secret:',
          `      secretName: ${secret}`,
          '      defaultMode: 0440',
        ].join('\n'),
      },
    ]
  },
  library: use => {
    const file = `${slug(use.name)}.jwt`
    const { service, mount } = use.place
    return [
      { title: `Write the token to a file of yours. ${PASTE}`, text: `(umask 077; cat > ${file})` },
      {
        title: 'Connect in your process. The target is a URL, or a handler of requests such as app.fetch.',
        text: [
          "import { connect } from '@vera-stack/telephone'",
          '',
          'const telephone = await connect({',
          `  plugboard: ${JSON.stringify(use.plugboardUrl)},`,
          `  token: { file: ${JSON.stringify(file)} },`,
          `  name: ${JSON.stringify(use.name)},`,
          ...(service === null ? [] : [`  service: ${JSON.stringify(service)},`]),
          ...(mount === null ? [] : [`  mount: ${JSON.stringify(mount)},`]),
          "  target: 'http://127.0.0.1:3000',",
          '})',
          'for (const { urls } of telephone.services) console.log(urls)',
        ].join('\n'),
      },
    ]
  },
}

function environment(
  { name, place: { service, mount }, plugboardUrl }: TokenUse,
  target: string,
  tokenFile: string,
): [name: string, value: string][] {
  return [
    ['TELEPHONE_PLUGBOARD', plugboardUrl],
    ['TELEPHONE_TOKEN_FILE', tokenFile],
    ['TELEPHONE_NAME', name],
    ['TELEPHONE_TARGET', target],
    ...(service === null ? [] : [['TELEPHONE_SERVICE', service] satisfies [string, string]]),
    ...(mount === null ? [] : [['TELEPHONE_MOUNT', mount] satisfies [string, string]]),
  ]
}

/** A name for files, units and Secrets: letters, digits and hyphens. */
function slug(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-|-$/g, '')
  return plain === '' ? 'telephone' : plain
}

function shellQuoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** In a unit, `%` begins a specifier, and double quotes keep spaces. */
function unitQuoted(assignment: string): string {
  return `"${assignment.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`
}
