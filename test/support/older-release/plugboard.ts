// Starts `plugboard` as the release before shared limits: it does not know streams of the kind `share`, and opens none. The sources
// are changed while they are loaded, because a clone may have no history (docs/decisions/0007). A change throws when its
// pattern does not match any more.

import { registerHooks } from 'node:module'

const EDITS: Readonly<Record<string, readonly [pattern: RegExp, replacement: string]>> = {
  'shared/protocol/wire/stream-kind.ts': [/\n {2}share: 7,/, ''],
  'plugboard/peers/peer.ts': [/this\.#share\?\.open\(\)/, ''],
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    const file = Object.keys(EDITS).find(name => url.endsWith(`/${name}`))
    if (file === undefined) return loaded
    const [pattern, replacement] = EDITS[file]!
    const source = String(loaded.source)
    if (!pattern.test(source)) throw new Error(`${file} has no match for ${pattern}`)
    return { ...loaded, source: source.replace(pattern, replacement) }
  },
})

await import('../../../plugboard/main.ts')
