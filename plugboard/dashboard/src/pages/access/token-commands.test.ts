import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { scopeSentence } from './scope-sentence.ts'
import { FORMS, type TokenUse, tokenCommands } from './token-commands.ts'

const use: TokenUse = {
  name: 'web-1',
  place: { service: 'web', mount: 'app.example.com/api' },
  plugboardUrl: 'https://proxy.example.com',
}
/** A name with the special characters of shells, YAML, units and Compose. */
const HOSTILE = `it's a "50%" $HOME $(id) \\ name`
const textOf = (form: (typeof FORMS)[number][0], index: number, of = use): string =>
  tokenCommands(form, of)[index]!.text

describe('the texts for a new token', () => {
  it.each(FORMS)('for %s name the file of the token, and no token', form => {
    const all = JSON.stringify(tokenCommands(form, use))
    expect(all).toMatch(/\.jwt|\/token/)
    expect(all).not.toMatch(/TELEPHONE_TOKEN[^_]/)
  })

  it('start the program with a mount and a service that the token covers', () => {
    expect(textOf('http', 1)).toBe(
      'npx @vera-stack/telephone http 3000 --plugboard https://proxy.example.com --token-file web-1.jwt ' +
        '--name web-1 --service web --mount app.example.com/api',
    )
    const generated = { ...use, place: { service: null, mount: null } }
    expect(textOf('http', 1, generated)).not.toMatch(/--service|--mount/)
  })

  it('keep special characters of a name in each language', () => {
    const hostile = { ...use, name: HOSTILE }
    const once = (text: string): string => text.replaceAll('$$', '$')
    expect(textOf('http', 1, hostile)).toContain(`'it'\\''s a "50%" $HOME $(id) \\ name'`)
    const compose = parse(textOf('compose', 1, hostile)) as {
      services: { telephone: { environment: Record<string, string> } }
    }
    expect(once(compose.services.telephone.environment.TELEPHONE_NAME!)).toBe(HOSTILE)
    const pod = parse(textOf('kubernetes', 1, hostile)) as {
      containers: { env: { name: string; value: string }[] }[]
    }
    expect(pod.containers[0]!.env.map(({ value }) => once(value))).toContain(HOSTILE)
    expect(textOf('systemd', 1, hostile)).toContain(
      `Environment="TELEPHONE_NAME=it's a \\"50%%\\" $HOME $(id) \\\\ name"`,
    )
    expect(textOf('library', 1, hostile)).toContain(`name: ${JSON.stringify(HOSTILE)}`)
    for (const [form] of FORMS)
      expect(tokenCommands(form, hostile)[0]!.text).toContain('it-s-a-50-home-id-name')
  })
})

it('a sentence shows what a token permits', () => {
  const text = (services: string[], mounts: string[]) => scopeSentence(services, mounts).text
  expect(text([], [])).toBe('The telephone can connect, but it can serve no service.')
  expect(text(['web', 'shop-*'], ['app.example.com', '*.t.example.com'])).toBe(
    'It may serve the service "web" and each service whose name begins with "shop-". It may claim app.example.com and ' +
      'each host below t.example.com, with all paths below.',
  )
  expect(text(['web'], [])).toContain('It may claim no mount')
  expect(scopeSentence(['*'], ['a.test'])).toMatchObject({ isBroad: true })
  expect(scopeSentence(['web'], ['a.test'])).toMatchObject({ isBroad: false })
})
