#!/usr/bin/env node

// Where `plugboard` starts. Everything it can do is registered in cli/command-line.ts.

import { openStandardOutput } from '@vera-stack/shared/process/standard-output.ts'
import { coloursWanted } from '@vera-stack/shared/text/colours.ts'
import { runCommandLine } from './cli/command-line.ts'

const output = openStandardOutput('plugboard')

const code = await runCommandLine(process.argv.slice(2), {
  terminal: {
    out: output.out,
    err: output.err,
    colours: coloursWanted(process.env, process.stdout.isTTY === true),
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  },
  env: process.env,
  cwd: process.cwd(),
  now: Date.now,
  interrupted() {
    const controller = new AbortController()
    process.once('SIGINT', () => controller.abort())
    return AbortSignal.any([controller.signal, output.closed])
  },
})
// An error of stdout may already have set the exit code.
if (code !== 0) process.exitCode = code
