#!/usr/bin/env node
// Where `plugboard` starts. Everything it can do is registered in cli/command-line.ts.

import { coloursWanted } from '@vera-stack/shared/colours.ts'
import { runCommandLine } from './cli/command-line.ts'

process.exitCode = await runCommandLine(process.argv.slice(2), {
  terminal: {
    out: text => process.stdout.write(text),
    err: text => process.stderr.write(text),
    colours: coloursWanted(process.env, process.stdout.isTTY === true),
  },
  env: process.env,
  cwd: process.cwd(),
  now: Date.now,
  interrupted() {
    const controller = new AbortController()
    process.once('SIGINT', () => controller.abort())
    return controller.signal
  },
})
