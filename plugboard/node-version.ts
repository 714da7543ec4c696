// Checks that the HTTP server of this Node has the option `shouldUpgradeCallback` (22.21 and 24.9). An older Node ignores
// the option; then each request that asks for an upgrade which is not offered (`h2c`) gets 400.

/** `version`: as in `process.versions.node`. Returns an error text with the remedy; undefined when this Node is new enough. */
export function nodeVersionProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if ((major === 22 && minor >= 21) || (major === 24 && minor >= 9) || major > 24) return undefined
  return `Node ${version} refuses requests that ask for HTTP/2 by Upgrade (400). Run Node 22.21 or a newer 22, or 24.9 or newer.`
}
