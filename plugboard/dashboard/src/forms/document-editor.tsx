// Edits a document as YAML. While a person types, the API checks the change with a dry run, and the page shows the problems. The code
// for YAML is loaded with the first editor.

import { useEffect, useState } from 'preact/hooks'
import type { parse, stringify } from 'yaml'
import { ApiError } from '../api/request.ts'
import { showMessage } from './action.tsx'

interface Yaml {
  readonly parse: typeof parse
  readonly stringify: typeof stringify
}

export interface DocumentEditorProps {
  readonly label: string
  readonly document: object
  readonly canWrite: boolean
  /** Sends the document. Rejects with ApiError. */
  readonly save: (document: object, dryRun: boolean) => Promise<unknown>
}

const WAIT_MS = 400

export function DocumentEditor({ label, document, canWrite, save }: DocumentEditorProps) {
  const [yaml, setYaml] = useState<Yaml | undefined>(undefined)
  const [text, setText] = useState<string | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [isChecked, setChecked] = useState(false)
  useEffect(() => {
    let isGone = false
    void import('yaml').then(module => {
      if (!isGone) setYaml(module)
    })
    return () => {
      isGone = true
    }
  }, [])

  const shown = text ?? (yaml === undefined ? '' : textOf(document, yaml))
  useEffect(() => {
    if (text === undefined || yaml === undefined) return
    setChecked(false)
    let isGone = false
    const timer = setTimeout(async () => {
      const found = await send(text, yaml, parsed => save(parsed, true))
      if (isGone) return
      setProblem(found)
      setChecked(found === undefined)
    }, WAIT_MS)
    return () => {
      isGone = true
      clearTimeout(timer)
    }
    // Only a change of the text starts the check.
  }, [text, yaml])

  return (
    <div class="stack">
      <textarea
        aria-label={label}
        rows={Math.min(30, Math.max(8, shown.split('\n').length + 1))}
        spellcheck={false}
        readOnly={!canWrite || yaml === undefined}
        value={shown}
        aria-invalid={problem !== undefined}
        onInput={event => setText(event.currentTarget.value)}
      />
      {problem !== undefined && (
        <div class="notice" data-tone="bad" role="alert">
          {problem}
        </div>
      )}
      {canWrite && (
        <div class="row">
          <button
            type="button"
            class="primary"
            disabled={text === undefined || !isChecked}
            onClick={async () => {
              if (yaml === undefined) return
              const found = await send(shown, yaml, parsed => save(parsed, false))
              setProblem(found)
              if (found !== undefined) return
              setText(undefined)
              showMessage('Saved.')
            }}
          >
            Save
          </button>
          <button type="button" disabled={text === undefined} onClick={() => setText(undefined)}>
            Discard
          </button>
          <span class="soft">
            {isChecked && text !== undefined ? 'Checked. You can save the change.' : ''}
          </span>
        </div>
      )}
    </div>
  )
}

const textOf = (document: object, yaml: Yaml): string =>
  Object.keys(document).length === 0 ? '' : yaml.stringify(document)

/** Resolves with the problem; undefined: there is none. */
async function send(
  text: string,
  yaml: Yaml,
  save: (document: object) => Promise<unknown>,
): Promise<string | undefined> {
  let parsed: unknown
  try {
    parsed = yaml.parse(text)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  if (parsed !== null && (typeof parsed !== 'object' || Array.isArray(parsed)))
    return 'Write keys with values, such as "retries: 2".'
  try {
    await save(parsed ?? {})
    return undefined
  } catch (error) {
    if (!(error instanceof ApiError)) return String(error)
    const culprits = error.culprits.map(({ pointer, detail }) => `${pointer ?? ''} ${detail}`.trim())
    return [error.message, ...culprits.filter(culprit => !error.message.includes(culprit))].join('\n')
  }
}
