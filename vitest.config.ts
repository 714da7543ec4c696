import { defineConfig } from 'vitest/config'

// Two projects. `unit`: files beside their source, milliseconds, loopback only. `e2e`: real processes.
// VERA_TEST_REPORTS: a folder for one JSON report of each run, for whoever adds them up (.ci/run).
const reports = process.env.VERA_TEST_REPORTS

export default defineConfig({
  test: {
    reporters: reports
      ? ['default', ['json', { outputFile: `${reports}/${process.pid}.json` }]]
      : ['default'],
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{shared,plugboard,telephone}/**/*.test.ts',
            'test/{support,docs,conformance/protocol}/**/*.test.ts',
          ],
          globalSetup: ['test/support/postgres-setup.ts'],
          testTimeout: 15_000,
          // The first test that asks for a database waits for the server of the run.
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/{e2e,conformance,chaos,bench}/**/*.test.ts', 'docker/**/*.test.ts'],
          exclude: ['test/conformance/protocol/**'],
          globalSetup: ['test/support/postgres-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
    ],
  },
})
