// Writes the direction of imports into biome.json. One table lists the rooms and libraries that the files of a room may import;
// each room becomes one lint rule for its files and one for each level of its subfolders, because the rules of Biome compare
// the text of an import, and `../` means another folder on each level. Run it with `npm run boundaries` after a change of the
// table. test/support/repository/boundaries.integration.test.ts checks that biome.json is up to date, and that each rule can
// fail.

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

interface Room {
  /** The files of the room: its folder, with all folders inside of it. */
  readonly folder: string
  /** Further folders or files that its files may import, as paths from the root of the repository. */
  readonly imports: readonly string[]
  readonly libraries: readonly string[]
  /** The number of folder levels inside of it. */
  readonly depth: number
  readonly message: string
  /** Of its files. Default: ts. */
  readonly extensions?: readonly string[]
}

const DIRECTION =
  'Direction: main, cli, {dev, replica}, {proxy, admin}, {access, telephones}, {jwks, limits, observe}, {routes, registry}, {database, metrics}, common, shared.'
const NODE = ['node:*', 'node:*/**']

function plugboardRoom(
  name: string,
  rooms: readonly string[],
  libraries: readonly string[],
  depth = 1,
): Room {
  return {
    folder: `plugboard/${name}`,
    imports: rooms.map(room => `plugboard/${room}`),
    libraries: [...NODE, '@vera-stack/shared/**', ...libraries],
    depth,
    message: `plugboard/${name}: this import is not granted (scripts/boundaries.ts). ${DIRECTION}`,
  }
}

/** The files at the root of plugboard/ that a room may import. */
const ROOT_FILES = ['config.ts', 'version.ts']

export const ROOMS: readonly Room[] = [
  {
    folder: 'shared',
    imports: [],
    libraries: [...NODE, 'zod', 'yaml', 'pino'],
    depth: 1,
    message: 'shared/ builds on Node, zod, yaml and pino alone; ws only in net/websocket-transport.ts.',
  },
  {
    folder: 'shared/protocol',
    imports: [
      'shared/clock.ts',
      'shared/client-shares.ts',
      'shared/schema/issue-text.ts',
      'shared/text/cut-text.ts',
      'shared/text/printable.ts',
    ],
    libraries: ['zod', 'node:buffer', 'node:crypto'],
    depth: 1,
    message:
      'shared/protocol does no I/O: zod, the clock, the shares of clients, the texts of issues, the bound of texts and its own files alone.',
  },
  {
    folder: 'shared/trace',
    imports: [
      'shared/clock.ts',
      'shared/log.ts',
      'shared/log',
      'shared/http',
      'shared/metrics',
      'shared/otlp',
    ],
    libraries: [...NODE, '@opentelemetry/*'],
    depth: 0,
    message: 'shared/trace is the owner of OpenTelemetry. It sends over shared/otlp.',
  },
  {
    folder: 'telephone',
    imports: [],
    libraries: [...NODE, '@vera-stack/shared/**', 'commander', 'ws'],
    depth: 3,
    message: 'telephone/ builds on shared/, Node, commander and ws alone.',
  },
  // A folder without its own row may import no library and no other room.
  plugboardRoom('*', [], []),
  plugboardRoom('common', [], []),
  plugboardRoom('database', ['common'], ['drizzle-orm', 'drizzle-orm/**', 'pg', 'zod'], 2),
  plugboardRoom('registry', ['common'], ['yjs']),
  plugboardRoom('metrics', ['common'], []),
  plugboardRoom('routes', ['metrics', 'database', 'common'], ['zod']),
  plugboardRoom('limits', ['routes', 'common'], []),
  plugboardRoom('observe', ['metrics', 'common'], ['zod']),
  plugboardRoom('jwks', ['routes', 'common'], ['jose'], 0),
  plugboardRoom('peers', ['limits', 'observe', 'registry', 'common'], ['jose']),
  plugboardRoom(
    'telephones',
    ['jwks', 'limits', 'routes', 'registry', 'database', 'common'],
    ['jose', 'ws', 'zod'],
  ),
  plugboardRoom('tls', ['database', 'common'], ['acme-client', 'zod']),
  plugboardRoom('access', ['jwks', 'routes', 'common'], ['jose']),
  plugboardRoom('proxy', ['access', 'telephones', 'limits', 'observe', 'routes', 'metrics', 'common'], []),
  plugboardRoom(
    'admin',
    ['telephones', 'limits', 'observe', 'routes', 'registry', 'database', 'common'],
    ['hono', 'hono/**', '@hono/**', 'zod'],
    2,
  ),
  plugboardRoom(
    'replica',
    [
      ...ROOT_FILES,
      'proxy',
      'admin',
      'doctor',
      'access',
      'telephones',
      'limits',
      'observe',
      'routes',
      'registry',
      'peers',
      'tls',
      'metrics',
      'database',
      'common',
    ],
    [],
  ),
  // Of admin only types, like cli.
  plugboardRoom('doctor', ['admin/api-types.ts', 'routes', 'database', 'common'], []),
  plugboardRoom('config', ['telephones', 'tls', 'common'], []),
  // Code of browsers. Of the server it has the types of the API, and files that need no module of Node.
  {
    ...plugboardRoom(
      'dashboard',
      ['admin/api-types.ts', 'admin/live/exchanges/response-diff.ts', 'observe/traffic/traffic-point.ts'],
      [
        'preact',
        'preact/**',
        '@preact/signals',
        'preact-iso',
        'uplot',
        '@tanstack/virtual-core',
        'yaml',
        'vite',
        '@prefresh/vite',
      ],
      3,
    ),
    extensions: ['ts', 'tsx'],
  },
  plugboardRoom('dev', [...ROOT_FILES, 'replica', 'common'], ['hono', 'hono/**', '@hono/**']),
  plugboardRoom(
    'cli',
    [
      ...ROOT_FILES,
      'package.json',
      'node-version.ts',
      // Only types: plugboard/admin/api-types.test.ts checks that the file has no code.
      'admin/api-types.ts',
      'dev',
      'doctor',
      'replica',
      'database',
      'common',
    ],
    ['commander', 'yaml', 'zod'],
  ),
]

const ELSEWHERE = {
  group: ['**/plugboard/**', '**/telephone/**', '**/test/**', '**/*.test.ts'],
  message: 'A package does not reach into another one by path, nor into tests.',
}

interface Override {
  readonly includes: readonly string[]
  readonly patterns: readonly { readonly group: readonly string[]; readonly message: string }[]
}

/** Returns the rule for the files that are `level` folders under a room. */
function ruleOf({ folder, imports, libraries, message, extensions = ['ts'] }: Room, level: number): Override {
  const up = '../'.repeat(level)
  const outside = `${up}../`
  const owner = folder.split('/').slice(0, -1)
  const granted = imports.map(path => {
    const below = path.split('/').slice(owner.length).join('/')
    return path.endsWith('.ts') || path.endsWith('.json') ? `!${outside}${below}` : `!${outside}${below}/**`
  })
  return {
    includes: [
      ...extensions.map(extension => `${folder}/${'*/'.repeat(level)}*.${extension}`),
      '!**/*.test.ts',
    ],
    patterns: [
      {
        group: [
          '**',
          '!./**',
          // The folders of the room itself, above the file.
          ...(level > 0 ? ['!../**', `${outside}**`] : []),
          ...granted,
          ...libraries.map(library => `!${library}`),
        ],
        message,
      },
      ...(folder === 'shared/protocol' ? [] : [ELSEWHERE]),
    ],
  }
}

const EXCEPTIONS: readonly Override[] = [
  {
    includes: ['shared/net/websocket-transport.ts'],
    patterns: [
      {
        group: ['**', '!./**', '!../**', '../../**', '!node:*', '!node:*/**', '!ws'],
        message: 'shared/net/websocket-transport.ts: Node, ws and shared/ alone.',
      },
      ELSEWHERE,
    ],
  },
  {
    includes: ['plugboard/*.ts', '!**/*.test.ts'],
    patterns: [
      {
        group: ['**', '!./**', ...NODE.map(name => `!${name}`), '!@vera-stack/shared/**', '!commander'],
        message: 'The files at the root of plugboard/ import its rooms; libraries belong to the rooms.',
      },
      ELSEWHERE,
    ],
  },
  {
    includes: ['plugboard/peers/link/dial-peer.ts', 'plugboard/peers/link/peer-endpoint.ts'],
    patterns: [
      {
        group: ['**', '!./**', '!../../common/**', '!node:*', '!node:*/**', '!@vera-stack/shared/**', '!ws'],
        message: 'The sockets of plugboard/peers: Node, ws, common/ and shared/ alone.',
      },
      ELSEWHERE,
    ],
  },
  {
    includes: ['{shared,telephone}/**/*.test.ts'],
    patterns: [
      {
        group: ['**/plugboard/**'],
        message: 'A test beside a file stays within its package; both ends together belong in test/.',
      },
    ],
  },
  {
    includes: ['{shared,plugboard}/**/*.test.ts'],
    patterns: [
      {
        group: ['**/telephone/**', '@vera-stack/telephone'],
        message: 'A test beside a file stays within its package; both ends together belong in test/.',
      },
    ],
  },
]

const BEGIN = '    { "includes": ["scripts/boundaries.ts"] },\n'

/** Returns the text of `biome.json` with its rules replaced by those of the table. */
export function withBoundaries(config: string): string {
  const at = config.indexOf(BEGIN)
  if (at === -1) throw new Error(`biome.json has no line ${BEGIN.trim()}, after which the rules begin`)
  const rules = [
    ...ROOMS.flatMap(room => Array.from({ length: room.depth + 1 }, (_, level) => ruleOf(room, level))),
    ...EXCEPTIONS,
  ]
  return `${config.slice(0, at)}${BEGIN}${rules.map(textOf).join(',\n')}\n  ]\n}\n`
}

function textOf({ includes, patterns }: Override): string {
  const list = (values: readonly string[]): string =>
    `[${values.map(value => JSON.stringify(value)).join(', ')}]`
  const groups = patterns.map(
    ({ group, message }) =>
      `        { "group": ${list(group)},\n          "message": ${JSON.stringify(message)} }`,
  )
  return [
    '    {',
    `      "includes": ${list(includes)},`,
    '      "linter": { "rules": { "style": { "noRestrictedImports": { "level": "error", "options": { "patterns": [',
    groups.join(',\n'),
    '      ] } } } } }',
    '    }',
  ].join('\n')
}

if (import.meta.main) {
  const file = join(import.meta.dirname, '../biome.json')
  await writeFile(file, withBoundaries(await readFile(file, 'utf8')))
}
