// Reads a file with one JSON object, written as JSON or YAML: `--options-file` of routes, `--policy-file` of services.

import { readFile } from 'node:fs/promises'
import { isJsonObject, type JsonObject } from '../../common/json.ts'
import { type CliContext, inFolder } from '../api/api-command.ts'
import { CliError } from '../cli-error.ts'

/**
 * Resolves with the object in the file. `flag`: names the flag in errors. `content`: the kind of its members, such as
 * `options`.
 */
export async function readObjectFile(
  context: CliContext,
  file: string,
  { flag, content }: { readonly flag: string; readonly content: string },
): Promise<JsonObject> {
  let parsed: unknown
  try {
    parsed = (await import('yaml')).parse(await readFile(inFolder(context, file), 'utf8'))
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    throw new CliError(`${flag}: ${file} cannot be used (${reason})`, { cause: error })
  }
  if (isJsonObject(parsed)) return parsed
  throw new CliError(`${flag}: ${file} must contain an object of ${content}`)
}
