// Ends a program in one line when this Node is too old to run it. Plain CommonJS in old syntax, without imports: it must
// run on each Node since 14, and the programs' own files do not (TypeScript in a checkout, newer built-ins in a package).
'use strict'

/** Node 22.18 and 23.6 are the first versions that run TypeScript files. The supported range begins later. */
function runs(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18)
}

/** `name` begins the line on stderr. Exits with 1 when the version is too old. */
module.exports = function checkNode(name) {
  const version = process.versions.node
  if (runs(version)) return
  const needed = 'Install Node 22.21 or a newer 22, or Node 24.9 or newer.'
  process.stderr.write(`${name}: Node ${version} (${process.execPath}) is too old. ${needed}\n`)
  process.exit(1)
}
