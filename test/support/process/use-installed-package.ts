// Installs one package for a test file, in a folder of its own.

import { afterAll, beforeAll } from 'vitest'
import { removeFolder, temporaryFolder } from './folder.ts'
import { installPackage } from './temporary-package.ts'

export interface InstalledPackage {
  readonly folder: () => string
  /** Returns the reason why the package could not be installed; undefined: it is installed. */
  readonly missing: () => string | undefined
}

/** Installs `name@version` before the tests of the file. */
export function useInstalledPackage(spec: string): InstalledPackage {
  let folder: string
  let missing: string | undefined
  beforeAll(async () => {
    folder = await temporaryFolder()
    missing = await installPackage(folder, spec)
  }, 120_000)
  afterAll(() => removeFolder(folder))
  return { folder: () => folder, missing: () => missing }
}
