// Preloaded into a measured process (`node --import`): at SIGUSR2, writes the longest delay of its event loop since the signal before.

import { monitorEventLoopDelay } from 'node:perf_hooks'

const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()

process.on('SIGUSR2', () => {
  process.stderr.write(`event loop delay at most ${(delay.max / 1e6).toFixed(1)} ms\n`)
  delay.reset()
})
