// Documents must agree with the repository: generated tables are up to date, and links, anchors, named files and shown commands
// exist.

import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCommandLine } from '../../plugboard/cli/command-line.ts'
import { ERRORS } from '../../shared/errors.ts'
import { GENERATED_TABLES, ROOT, read, withTable } from './generated-tables.ts'

const FILES = readdirSync(ROOT, { withFileTypes: true })
  .filter(({ name }) => !['node_modules', '.git', 'data'].includes(name))
  .flatMap(entry => (entry.isDirectory() ? filesBeneath(entry.name) : [entry.name]))
const DOCUMENTS = FILES.filter(file => file.endsWith('.md'))
/** Names of files without their folder. */
const NAMES = new Set(FILES.map(path => basename(path)))
/** Documents that name files by their path from a folder of the product. */
const FROM = ['.', 'plugboard', 'telephone']

// Loads the module of each shown command now: on a busy machine this takes longer than the time limit of a test.
for (const name of new Set(DOCUMENTS.flatMap(file => commandsIn(read(file))).map(firstWord)))
  await helpOf([name])

describe('generated tables', () => {
  it.each(GENERATED_TABLES.map(table => [`${table.document}: ${table.marker}`, table] as const))(
    '%s is up to date (else: npm run docs)',
    (_, table) => {
      const document = read(table.document)
      expect(document).toBe(withTable(document, table))
    },
  )

  it('rejects a document without the markers, or with two of them', () => {
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

  it('has links whose file and anchor exist', () => {
    expect(linksIn(text).filter(target => !leads(document, target))).toEqual([])
  })

  it('names files that exist', () => {
    expect(filesIn(text).filter(name => !isFile(document, name))).toEqual([])
  })

  it('runs no program by npx that could be a foreign package', () => {
    expect(text.match(/npx (?:plugboard|telephone)\b/g)).toBeNull()
  })

  it('shows commands of Plugboard that exist, with flags that they have', async () => {
    for (const command of commandsIn(text)) expect(await problemOf(command), command).toBeUndefined()
  })
})

it('finds links, anchors and files that do not exist', () => {
  expect(linksIn('[a](b.md#c) `[x](y)` [d](https://e.test/)\n```sh\n[f](g)\n```\n[h]: i.md\n')).toEqual([
    'b.md#c',
    'i.md',
  ])
  expect(leads('README.md', 'docs/README.md#operate-plugboard')).toBe(true)
  expect(leads('docs/README.md', '../README.md#how-fast')).toBe(true)
  expect(leads('README.md', '#no-such-heading')).toBe(false)
  expect(leads('README.md', 'docs/no-such-page.md')).toBe(false)
  expect(anchorsOf('# `a_b` and c: d\n```sh\n# not one\n```\n## Same\n## Same\n')).toEqual([
    'a_b-and-c-d',
    'same',
    'same-1',
  ])

  expect(filesIn('`proxy/server.ts`, `x.test.ts` and `*.ts`')).toEqual(['proxy/server.ts', 'x.test.ts'])
  expect(isFile('docs/README.md', 'shared/errors.ts')).toBe(true)
  expect(isFile('docs/README.md', 'errors.ts')).toBe(true)
  expect(isFile('docs/README.md', 'plugboard/errors.ts')).toBe(false)
})

it('finds the commands that are shown, and rejects unknown ones', async () => {
  expect(commandsIn(read('README.md')).length).toBeGreaterThan(5)
  expect(commandsIn('```sh\nX=1 npx --no plugboard route add a.test --service web | cat\n```\n')).toEqual([
    'route add a.test --service web',
  ])
  expect(await problemOf('route add a.test --service web')).toBeUndefined()
  expect(await problemOf('route add a.test --servce web')).toBe('--servce')
  expect(await problemOf('rout list')).toBe('there is no such command')
})

it.each(['plugboard', 'telephone'])('%s/README.md names each folder under it', folder => {
  const folders = readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !['dist', 'node_modules'].includes(entry.name))
    .map(({ name }) => name)
  const text = read(join(folder, 'README.md'))
  expect(folders.filter(name => !text.includes(`\`${name}/\``))).toEqual([])
})

it.each([
  ['docs/README.md', /^docs\/(?!README|decisions\/).*\.md$/],
  ['docs/decisions/README.md', /^docs\/decisions\/\d.*\.md$/],
])('%s links each page of its list', (index, listed) => {
  const linked = linksIn(read(index)).map(target => join(dirname(index), target))
  const pages = DOCUMENTS.filter(page => listed.test(page))
  expect(pages.length).toBeGreaterThan(10)
  expect(pages.filter(page => !linked.includes(page))).toEqual([])
})

function filesBeneath(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(path => !/(^|\/)(dist|node_modules)(\/|$)/.test(path))
    .map(path => join(folder, path))
}

/** Returns the targets of links, except links in code and links to other sites. */
function linksIn(text: string): string[] {
  const prose = withoutCode(text).replace(/`[^`\n]*`/g, '')
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)|^\[[^\]\n]+\]: (\S+)/gm)]
  return links
    .map(([, inline, reference]) => inline ?? reference ?? '')
    .filter(target => !/^\w+:/.test(target))
}

/** True when the file of a relative link exists, and one of its headings has the anchor. */
function leads(document: string, target: string): boolean {
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? document : join(dirname(document), path)
  if (!existsSync(join(ROOT, file))) return false
  return anchor === undefined || anchorsOf(read(file)).includes(anchor)
}

/** Returns the anchors of the headings, as a forge creates them: the second heading with the same text ends with -1. */
function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>()
  return [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-')
    const before = seen.get(anchor) ?? 0
    seen.set(anchor, before + 1)
    return before === 0 ? anchor : `${anchor}-${before}`
  })
}

function withoutCode(text: string): string {
  return text.replace(/^ *```.*\n[\s\S]*?^ *```/gm, '')
}

/** Returns the names of source files and documents in code spans. */
function filesIn(text: string): string[] {
  return [...text.matchAll(/`([\w./-]+\.(?:ts|cjs|mjs|sql|md))`/g)].map(([, name = '']) => name)
}

/** True when the path exists. A name without a folder may be that of any file. */
function isFile(document: string, name: string): boolean {
  if (!name.includes('/')) return NAMES.has(name)
  return [dirname(document), ...FROM].some(from => existsSync(join(ROOT, normalize(join(from, name)))))
}

/** Returns the commands of Plugboard in shell blocks and code spans, without redirections and pipes. */
function commandsIn(text: string): string[] {
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(match => match[1] as string)
  const spans = [...text.matchAll(/`((?:npx --no )?plugboard [^`]+)`/g)].map(match => match[1] as string)
  return [...blocks.join('').replaceAll('\\\n', ' ').split('\n'), ...spans].flatMap(line => {
    const command = /(?:^|\s)plugboard (?!plugboard )([a-z-]+(?: [^|>&]*)?)/.exec(line)?.[1]
    return command === undefined ? [] : [command.trim()]
  })
}

function firstWord(command: string): string {
  return command.split(/\s+/, 1)[0] ?? ''
}

/** Returns the unknown flag or command, found by the command's help. Undefined when the command is valid. */
async function problemOf(command: string): Promise<string | undefined> {
  const words = command.split(/\s+/)
  const flagAt = words.findIndex(word => word.startsWith('-'))
  const names = (flagAt === -1 ? words : words.slice(0, flagAt)).filter(word => /^[a-z][a-z-]*$/.test(word))
  // The second word may be an argument, because only groups have subcommands.
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
  // An unknown command prints the help of its group.
  const usage = ['Usage: plugboard', ...names].join(' ')
  return code === 0 && out.startsWith(usage) && /^[ |]/.test(out.slice(usage.length)) ? out : undefined
}
