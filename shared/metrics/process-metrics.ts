// The metrics of a Node process, under the names that clients of Prometheus use. Plugboard and Telephone have the same ones.

import { readdirSync, statSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapSpaceStatistics } from 'node:v8'
import type { Clock } from '../clock.ts'
import { openFilesLimit } from '../process/open-files.ts'
import type { MetricSources, MetricTable } from './metric.ts'

export const PROCESS_METRICS = {
  process_cpu_user_seconds_total: {
    type: 'counter',
    help: 'CPU time of the process in user mode.',
    labels: [],
    unit: 's',
  },
  process_cpu_system_seconds_total: {
    type: 'counter',
    help: 'CPU time of the process in the kernel.',
    labels: [],
    unit: 's',
  },
  process_cpu_seconds_total: {
    type: 'counter',
    help: 'CPU time of the process.',
    labels: [],
    unit: 's',
  },
  process_start_time_seconds: {
    type: 'gauge',
    help: 'Start of the process, seconds since 1970.',
    labels: [],
    unit: 's',
  },
  process_resident_memory_bytes: {
    type: 'gauge',
    help: 'Memory of the process that is in RAM.',
    labels: [],
    unit: 'By',
  },
  process_open_fds: {
    type: 'gauge',
    help: 'Open files and sockets of the process. Only on systems with /proc.',
    labels: [],
    unit: '1',
  },
  process_max_fds: {
    type: 'gauge',
    help: 'Limit of open files of the process. Absent: no limit.',
    labels: [],
    unit: '1',
  },
  nodejs_heap_size_total_bytes: {
    type: 'gauge',
    help: 'Size of the heap of JavaScript.',
    labels: [],
    unit: 'By',
  },
  nodejs_heap_size_used_bytes: {
    type: 'gauge',
    help: 'Used part of the heap of JavaScript.',
    labels: [],
    unit: 'By',
  },
  nodejs_external_memory_bytes: {
    type: 'gauge',
    help: 'Memory of objects outside of the heap, such as buffers.',
    labels: [],
    unit: 'By',
  },
  nodejs_heap_space_size_used_bytes: {
    type: 'gauge',
    help: 'Used part of each space of the heap.',
    labels: ['space'],
    unit: 'By',
  },
  nodejs_eventloop_delay_seconds: {
    type: 'gauge',
    help: 'Delay of the event loop in the last 10 s or longer, until a scrape.',
    labels: ['quantile'],
    unit: 's',
  },
} as const satisfies MetricTable

/** Time between two measurements of the event loop, ms. */
const RESOLUTION_MS = 10
/** The shortest time that one value of the delay covers, ms. Two readers within it get the same value. */
const DELAY_WINDOW_MS = 10_000
const QUANTILES = [50, 90, 99] as const

/** Of the last 10 s, or of the longer time since the reading before. */
export interface ProcessLoad {
  /** 100 is one whole core. */
  readonly cpuPercent: number
  /** The 99th percentile. */
  readonly eventLoopDelayMs: number
}

export interface ProcessMetrics {
  readonly sources: MetricSources<typeof PROCESS_METRICS>
  load(): ProcessLoad
  stop(): void
}

/** Starts to measure the delay of the event loop. */
export function startProcessMetrics(clock: Clock): ProcessMetrics {
  const window = new LoadWindow(clock)
  const startedAt = Math.round(clock.wallTime() / 1000 - process.uptime())
  const maxFiles = openFilesLimit()
  const sources: ProcessMetrics['sources'] = {
    process_cpu_user_seconds_total: sink => sink.value([], process.cpuUsage().user / 1e6),
    process_cpu_system_seconds_total: sink => sink.value([], process.cpuUsage().system / 1e6),
    process_cpu_seconds_total: sink => {
      const { user, system } = process.cpuUsage()
      sink.value([], (user + system) / 1e6)
    },
    process_start_time_seconds: sink => sink.value([], startedAt),
    process_resident_memory_bytes: sink => sink.value([], process.memoryUsage.rss()),
    process_open_fds: sink => {
      const count = openFiles()
      if (count !== undefined) sink.value([], count)
    },
    process_max_fds: sink => {
      if (Number.isFinite(maxFiles)) sink.value([], maxFiles)
    },
    nodejs_heap_size_total_bytes: sink => sink.value([], process.memoryUsage().heapTotal),
    nodejs_heap_size_used_bytes: sink => sink.value([], process.memoryUsage().heapUsed),
    nodejs_external_memory_bytes: sink => sink.value([], process.memoryUsage().external),
    nodejs_heap_space_size_used_bytes: sink => {
      for (const { space_name: name, space_used_size: bytes } of getHeapSpaceStatistics()) {
        sink.value([name.replace(/_space$/, '')], bytes)
      }
    },
    nodejs_eventloop_delay_seconds: sink => {
      for (const [quantile, seconds] of window.read().delays) sink.value([quantile], seconds)
    },
  }
  return { sources, load: () => window.read().load, stop: () => window.stop() }
}

/** Returns the number of open files; undefined where the system does not show it. */
function openFiles(): number | undefined {
  try {
    // Newer kernels have the number as the size of the folder. To read the folder takes milliseconds with many sockets.
    const { size } = statSync('/proc/self/fd')
    // The folder itself is open during the second call.
    return size > 0 ? size : readdirSync('/proc/self/fd').length - 1
  } catch {
    return undefined
  }
}

interface LoadReading {
  readonly delays: readonly (readonly [quantile: string, seconds: number])[]
  readonly load: ProcessLoad
}

/** Measures the delay of the event loop and the use of the CPU, over the same time. */
class LoadWindow {
  readonly #clock: Clock
  readonly #monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #sinceMs: number
  #cpu = process.cpuUsage()
  #reading: LoadReading | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.now()
    this.#monitor.enable()
  }

  read(): LoadReading {
    const nowMs = this.#clock.now()
    const passedMs = nowMs - this.#sinceMs
    if (this.#reading !== undefined && passedMs < DELAY_WINDOW_MS) return this.#reading
    const seconds = (nanoseconds: number): number =>
      Math.max(0, Math.round(nanoseconds / 1000 - RESOLUTION_MS * 1000)) / 1e6
    const empty = this.#monitor.count === 0
    const at = (percent: number): number => (empty ? 0 : seconds(this.#monitor.percentile(percent)))
    const { user, system } = process.cpuUsage(this.#cpu)
    this.#reading = {
      delays: [
        ...QUANTILES.map(percent => [String(percent / 100), at(percent)] as const),
        ['1', empty ? 0 : seconds(this.#monitor.max)] as const,
      ],
      load: {
        cpuPercent: passedMs <= 0 ? 0 : Math.round((user + system) / passedMs) / 10,
        eventLoopDelayMs: Math.round(at(99) * 10_000) / 10,
      },
    }
    this.#monitor.reset()
    this.#cpu = process.cpuUsage()
    this.#sinceMs = nowMs
    return this.#reading
  }

  stop(): void {
    this.#monitor.disable()
  }
}
