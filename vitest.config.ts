import { defineConfig } from 'vitest/config'

// Two projects. `unit`: files beside their source, milliseconds, loopback only. `e2e`: real processes.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{shared,plugboard,telephone}/**/*.test.ts', 'test/support/**/*.test.ts'],
          testTimeout: 15_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/{e2e,conformance,chaos,bench}/**/*.test.ts', 'docker/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
    ],
  },
})
