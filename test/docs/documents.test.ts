// What the documents say is so: tables are those of the code, files and links exist, commands can be typed.

import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCommandLine } from '../../plugboard/cli/command-line.ts'
import { ERRORS } from '../../shared/errors.ts'
import { GENERATED_TABLES, ROOT, read, withTable } from './generated-tables.ts'

const FOLDERS = [
  '.',
  'docs',
  'plugboard',
  'telephone',
  'docker',
  'migrations',
  'shared/protocol',
  'shared/decisions',
]
const DOCUMENTS = FOLDERS.flatMap(folder =>
  readdirSync(join(ROOT, folder))
    .filter(file => file.endsWith('.md'))
    .map(file => join(folder, file)),
)
/** Names of files without their folder. */
const SOURCES = new Set(
  ['shared', 'plugboard', 'telephone', 'test'].flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter(path => !/(^|\/)(dist|node_modules)\//.test(path))
      .map(path => basename(path)),
  ),
)

describe('generated tables', () => {
  it.each(GENERATED_TABLES.map(table => [`${table.document}: ${table.marker}`, table] as const))(
    '%s is as in the code (else: npm run docs)',
    (_, table) => {
      const document = read(table.document)
      expect(document).toBe(withTable(document, table))
    },
  )

  it('a document without the markers, or with two of them, is an error', () => {
    const table = { document: '', marker: 'x', text: 'new' }
    expect(withTable('a\n<!-- x -->\nold\n<!-- /x -->\nb', table)).toBe(
      'a\n<!-- x -->\n\nnew\n<!-- /x -->\nb',
    )
    for (const bad of ['', '<!-- x -->\n', '<!-- x -->\n<!-- /x -->\n<!-- x -->\n<!-- /x -->']) {
      expect(() => withTable(bad, table)).toThrow('once each')
    }
  })

  it('each error code has one row', () => {
    const codes = [...read('README.md').matchAll(/^\| `(\w+)` \| \d{3} \|/gm)].map(match => match[1])
    expect(codes.sort()).toEqual(Object.keys(ERRORS).sort())
  })

  it('docs/find-out-why.md has each error code once in its tables, with its status', () => {
    const rows = read('docs/find-out-why.md').split('\n')
    const found = rows.flatMap(row => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)` (\d{3})/g)])
    const documented = found.map(([, code, status]) => [code, Number(status)])
    const expected = Object.entries(ERRORS).map(([code, { status }]) => [code, status])
    expect(documented.sort()).toEqual(expected.sort())
  })
})

describe.each(DOCUMENTS)('%s', document => {
  const text = read(document)

  it('links to what is there', () => {
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(match => match[1] as string)
    const broken = targets.filter(target => !/^\w+:/.test(target) && !leads(document, target))
    expect(broken).toEqual([])
  })

  it('names files that are there', () => {
    const names = [...text.matchAll(/`([\w./-]+\.(?:ts|sql|md))`/g)].map(match => match[1] as string)
    const isThere = (name: string): boolean =>
      [dirname(document), '.'].some(from => existsSync(join(ROOT, from, name))) || SOURCES.has(name)
    expect(names.filter(name => !isThere(name))).toEqual([])
  })

  it('runs no program by npx that could be a package of somebody else', () => {
    expect(text.match(/npx (?:plugboard|telephone)\b/g)).toBeNull()
  })

  it('shows commands of Plugboard that exist, with flags that they have', async () => {
    for (const command of commandsIn(text)) expect(await problemOf(command), command).toBeUndefined()
  })
})

it('finds the commands that are shown, and those that are not there', async () => {
  expect(commandsIn(read('README.md')).length).toBeGreaterThan(5)
  expect(commandsIn('```sh\nX=1 npx --no plugboard route add a.test --service web | cat\n```\n')).toEqual([
    'route add a.test --service web',
  ])
  expect(await problemOf('route add a.test --service web')).toBeUndefined()
  expect(await problemOf('route add a.test --servce web')).toBe('--servce')
  expect(await problemOf('rout list')).toBe('there is no such command')
})

it('plugboard/README.md names every folder of plugboard/', () => {
  const folders = readdirSync(join(ROOT, 'plugboard'), { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !['dist', 'node_modules'].includes(entry.name))
    .map(({ name }) => name)
  const text = read('plugboard/README.md')
  expect(folders.filter(name => !text.includes(`\`${name}/\``))).toEqual([])
})

/** A relative link: the file exists, and a heading makes the anchor. */
function leads(document: string, target: string): boolean {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? document : join(dirname(document), path)
  if (!existsSync(join(ROOT, file))) return false
  if (anchor === undefined) return true
  const headings = [...read(file).matchAll(/^#+ (.*)$/gm)].map(match => match[1] as string)
  return headings.some(
    heading =>
      heading
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replaceAll(' ', '-') === anchor,
  )
}

/** `plugboard …` on lines of shell blocks and in code spans, without what a shell makes of the rest. */
function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(match => match[1] as string)
  const spans = [...text.matchAll(/`((?:npx --no )?plugboard [^`]+)`/g)].map(match => match[1] as string)
  return [...blocks.join('').replaceAll('\\\n', ' ').split('\n'), ...spans].flatMap(line => {
    const command = /(?:^|\s)plugboard (?!plugboard )([a-z-]+(?: [^|>&]*)?)/.exec(line)?.[1]
    return command === undefined ? [] : [command.trim()]
  })
}

/** Asks for the command's help, which lists its flags; undefined: all is well. */
async function problemOf(command: string): Promise<string | undefined> {
  const words = command.split(/\s+/)
  const flagAt = words.findIndex(word => word.startsWith('-'))
  const names = (flagAt === -1 ? words : words.slice(0, flagAt)).filter(word => /^[a-z][a-z-]*$/.test(word))
  // The second word may be an argument: only groups have commands beneath them.
  const help = (await helpOf(names.slice(0, 2))) ?? (await helpOf(names.slice(0, 1)))
  if (help === undefined) return 'there is no such command'
  return words.filter(word => word.startsWith('--')).find(flag => !help.includes(flag))
}

async function helpOf(names: readonly string[]): Promise<string | undefined> {
  let out = ''
  const code = await runCommandLine([...names, '--help'], {
    terminal: {
      out: text => {
        out += text
      },
      err: () => undefined,
      colours: false,
    },
    env: {},
    cwd: ROOT,
    now: () => 0,
    interrupted: () => new AbortController().signal,
  })
  // An unknown command gets the help of what is above it.
  const usage = ['Usage: plugboard', ...names].join(' ')
  return code === 0 && out.startsWith(usage) && /^[ |]/.test(out.slice(usage.length)) ? out : undefined
}
