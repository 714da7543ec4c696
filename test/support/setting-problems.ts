// The problems of settings as texts, for tests of the settings of both programs.

import { SettingsError } from '@vera-stack/shared/settings/source.ts'

/** Returns the problems that `load` throws, each as `source: detail`. The list is empty when `load` returns. */
export function settingProblems(load: () => unknown): string[] {
  try {
    load()
  } catch (error) {
    if (error instanceof SettingsError) {
      return error.problems.map(({ source, detail }) => `${source}: ${detail}`)
    }
    throw error
  }
  return []
}
