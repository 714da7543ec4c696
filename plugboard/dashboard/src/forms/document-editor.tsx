// Edits a document as a form and as YAML. Both show the same text (yaml-text.ts). While a person types, the API checks the change with a
// dry run, and the page shows the problems beside their fields. The code for YAML is loaded with the first editor.

import { useEffect, useState } from 'preact/hooks'
import { ApiError, asApiError, type Culprit } from '../api/request.ts'
import { showMessage } from './action.tsx'
import { Choice } from './choice.tsx'
import { FormFields, type FormGroup, otherCulprits } from './form-fields.tsx'
import { readText, textOf, withValue, type Yaml } from './yaml-text.ts'

export interface DocumentEditorProps {
  readonly label: string
  readonly document: object
  readonly canWrite: boolean
  /** The JSON pointer of the document in the body of the request. Absent: the document is the body. */
  readonly pointer?: string | undefined
  /** The form. Absent: the document is edited as YAML only. */
  readonly groups?: readonly FormGroup[] | undefined
  /** Called when the person begins to edit, and after a save or a discard. */
  readonly onEdited?: ((isEdited: boolean) => void) | undefined
  /** Sends the document. Rejects with ApiError. */
  readonly save: (document: object, dryRun: boolean) => Promise<unknown>
}

const WAIT_MS = 400
const VIEWS = ['Form', 'YAML'] as const
type View = (typeof VIEWS)[number]

export function DocumentEditor(props: DocumentEditorProps) {
  const { label, document, canWrite, pointer = '', groups, onEdited, save } = props
  const yaml = useYaml()
  const [view, setView] = useState<View>(groups === undefined ? 'YAML' : 'Form')
  const [text, setText] = useState<string | undefined>(undefined)
  const [problem, setProblem] = useState<ApiError | undefined>(undefined)
  const [isChecked, setChecked] = useState(false)

  const isEdited = text !== undefined
  useEffect(() => onEdited?.(isEdited), [isEdited])
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

  if (yaml === undefined) return <p class="soft">Loading…</p>
  const shown = text ?? textOf(document, yaml)
  const read = readText(shown, yaml)
  const showsForm = groups !== undefined && view === 'Form' && read.kind === 'document'
  const culprits = problem?.culprits.map(culprit => within(culprit, pointer)) ?? []
  const rest = showsForm ? otherCulprits(culprits, groups) : culprits
  const discard = (): void => {
    setText(undefined)
    setProblem(undefined)
  }
  return (
    <div class="stack">
      {groups !== undefined && (
        <div>
          <Choice
            label="View of the document"
            names={VIEWS}
            selected={showsForm ? 'Form' : 'YAML'}
            onSelect={setView}
          />
        </div>
      )}
      {showsForm ? (
        <FormFields
          groups={groups}
          document={read.value}
          culprits={culprits}
          isReadOnly={!canWrite}
          onChange={(path, value) => setText(withValue(shown, path, value, yaml))}
        />
      ) : (
        <textarea
          aria-label={label}
          rows={Math.min(30, Math.max(8, shown.split('\n').length + 1))}
          spellcheck={false}
          readOnly={!canWrite}
          value={shown}
          aria-invalid={problem !== undefined}
          onInput={event => setText(event.currentTarget.value)}
        />
      )}
      {problem !== undefined && (culprits.length === 0 || rest.length > 0) && (
        <div class="notice problem" data-tone="bad" role="alert">
          {messageOf(problem, rest)}
        </div>
      )}
      {canWrite && (
        <div class="row">
          <button
            type="button"
            class="primary"
            disabled={text === undefined || !isChecked}
            onClick={async () => {
              const found = await send(shown, yaml, parsed => save(parsed, false))
              setProblem(found)
              if (found !== undefined) return
              setText(undefined)
              showMessage('Saved.')
            }}
          >
            Save
          </button>
          <button type="button" disabled={text === undefined} onClick={discard}>
            Discard
          </button>
          <span class="soft">{noteOf(text, isChecked)}</span>
        </div>
      )}
    </div>
  )
}

/** Returns the problem with the pointer from the root of the document. */
function within(culprit: Culprit, root: string): Culprit {
  const { pointer } = culprit
  return pointer?.startsWith(`${root}/`) === true
    ? { ...culprit, pointer: pointer.slice(root.length) }
    : culprit
}

function useYaml(): typeof Yaml | undefined {
  const [yaml, setYaml] = useState<{ readonly module: typeof Yaml } | undefined>(undefined)
  useEffect(() => {
    let isGone = false
    void import('yaml').then(module => {
      if (!isGone) setYaml({ module })
    })
    return () => {
      isGone = true
    }
  }, [])
  return yaml?.module
}

function noteOf(text: string | undefined, isChecked: boolean): string {
  if (text === undefined || !isChecked) return ''
  const hasComment = /(?:^|\s)#/.test(text)
  return `Checked. You can save the change.${hasComment ? ' Comments are not stored.' : ''}`
}

/** Returns the message with the problems that no field shows. */
function messageOf({ message, culprits }: ApiError, shown: ApiError['culprits']): string {
  const lines = shown.map(({ pointer, detail }) => `${pointer ?? ''} ${detail}`.trim())
  // The message of the API repeats the problems of fields.
  if (shown.length < culprits.length) return lines.join('\n')
  return [message, ...lines.filter(line => !message.includes(line))].join('\n')
}

/** Resolves with the problem, or with undefined for a valid document. */
async function send(
  text: string,
  yaml: typeof Yaml,
  save: (document: object) => Promise<unknown>,
): Promise<ApiError | undefined> {
  const read = readText(text, yaml)
  if (read.kind === 'problem') return new ApiError(0, { detail: read.message })
  try {
    await save(read.value)
    return undefined
  } catch (error) {
    return asApiError(error)
  }
}
