// Changes the programs that are loaded after it into a possible next release: it supports one more protocol version, and uses
// the extensions that PROTOCOL.md ("Versions") allows. The sources are changed while they are loaded, so that the other end
// of a test is the present program. A change throws when its pattern does not match any more.
//
//   with every peer       another key in hello, a control message of an unknown type
//   with the new version  a `drained` without a `drain`, for which an older end would end the session (P23)

import { registerHooks } from 'node:module'

type Edit = readonly [pattern: RegExp, replacement: string]

const EDITS: Readonly<Record<string, readonly Edit[]>> = {
  'shared/protocol/wire/version.ts': [
    [/(PROTOCOL_VERSIONS: readonly \[number, number\] = )\[\d+, (\d+)\]/, '$1[$2, $2 + 1]'],
  ],
  'shared/protocol/session.ts': [
    [
      /return \{ type: 'hello', versions: range, \.\.\.own \}/,
      `return { type: 'hello', versions: range, ...own, next: { more: true } }`,
    ],
    [
      /this\.#events\.onReady\(peer, version\)/,
      `process.stderr.write('next release: version ' + version + ' with ' + peer.agent + '\\n')
    this.#outbox.control(JSON.stringify({ type: 'next', more: [true] }))
    if (version === PROTOCOL_VERSIONS[1]) this.#outbox.control(JSON.stringify({ type: 'drained' }))
    $&`,
    ],
    [
      /if \((!allowsTransition\(this\.#state, 'drained'\))\) throw new FrameError\('drained without drain'\)/,
      'if ($1) return',
    ],
  ],
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    const file = Object.keys(EDITS).find(name => url.endsWith(`/${name}`))
    if (file === undefined) return loaded
    let source = String(loaded.source)
    for (const [pattern, replacement] of EDITS[file]!) {
      if (!pattern.test(source)) throw new Error(`${file} has no match for ${pattern}`)
      source = source.replace(pattern, replacement)
    }
    return { ...loaded, source }
  },
})
