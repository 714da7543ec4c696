// The search over all pages: a combobox whose list box has the places that fit.

import { useEffect, useRef, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { type Destination, destinationsFor, foundDestinations } from './destinations.ts'
import { recentDestinations, rememberDestination } from './recent.ts'

/** The time without a key before the server searches, ms. */
const WAIT_MS = 120
const LABEL = 'Page, route, service, telephone, request id or URL'

interface Found {
  readonly rows: readonly Destination[]
  readonly isSearching: boolean
  readonly problem: string
}

export function Palette({ onClose }: { onClose: () => void }) {
  const { route } = useLocation()
  const dialog = useRef<HTMLDialogElement>(null)
  const [text, setText] = useState('')
  const [active, setActive] = useState(0)
  const { rows, isSearching, problem } = useFound(text.trim())
  const results = text.trim() === '' ? initialDestinations() : destinationsFor(text.trim(), rows)
  const current = Math.min(active, results.length - 1)

  useEffect(() => {
    dialog.current?.showModal()
    return () => dialog.current?.close()
  }, [])
  useEffect(() => {
    document.getElementById(idOf(current))?.scrollIntoView({ block: 'nearest' })
  }, [current])

  const choose = (chosen: Destination | undefined): void => {
    if (chosen === undefined) return
    rememberDestination(chosen)
    onClose()
    route(chosen.href)
  }
  const onKey = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0 && results.length > 0) setActive((current + step + results.length) % results.length)
    // Enter can be a part of the input of a word, for example in Japanese.
    else if (event.key === 'Enter' && !event.isComposing) choose(results[current])
    else return
    event.preventDefault()
  }
  return (
    <dialog ref={dialog} class="palette" aria-label="Search" onCancel={onClose}>
      <div class="dialog">
        <input
          type="text"
          role="combobox"
          aria-label={LABEL}
          placeholder={LABEL}
          aria-expanded={results.length > 0}
          aria-controls="palette-results"
          aria-autocomplete="list"
          aria-activedescendant={results.length > 0 ? idOf(current) : undefined}
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={event => {
            setText(event.currentTarget.value)
            setActive(0)
          }}
          onKeyDown={onKey}
        />
        <div class="results" role="listbox" id="palette-results" aria-label="Results">
          {results.map((result, index) => (
            // The keyboard chooses an option in the text field (the combobox pattern of ARIA).
            // biome-ignore lint/a11y/useKeyWithClickEvents: see above
            <div
              key={`${result.kind} ${result.text}`}
              class="result"
              role="option"
              tabIndex={-1}
              id={idOf(index)}
              aria-selected={index === current}
              onClick={() => choose(result)}
            >
              <span class="break">{result.text}</span> <span class="soft small">{result.kind}</span>
            </div>
          ))}
        </div>
        <p class="soft small" role="status">
          {problem !== '' ? problem : summary(results.length, isSearching)}
        </p>
      </div>
    </dialog>
  )
}

const idOf = (index: number): string => `palette-${index}`

function summary(count: number, isSearching: boolean): string {
  if (isSearching) return 'Searching…'
  if (count === 0) return 'No result. A part of a name is enough.'
  return `${count} ${count === 1 ? 'result' : 'results'}. Arrows choose, Enter opens, Escape closes.`
}

/** The last choices come first. */
function initialDestinations(): readonly Destination[] {
  const recent = recentDestinations()
  const pages = destinationsFor('', []).filter(({ href }) => !recent.some(each => each.href === href))
  return [...recent, ...pages]
}

function useFound(text: string): Found {
  const [found, setFound] = useState<Found>({ rows: [], isSearching: false, problem: '' })
  useEffect(() => {
    if (text === '') {
      setFound({ rows: [], isSearching: false, problem: '' })
      return
    }
    const controller = new AbortController()
    // Rows of the last text stay until the new ones arrive, so that the list does not flicker.
    setFound(before => ({ ...before, isSearching: true }))
    const timer = setTimeout(async () => {
      const next = await search(text, controller.signal)
      if (!controller.signal.aborted) setFound(next)
    }, WAIT_MS)
    return () => {
      clearTimeout(timer)
      controller.abort()
    }
  }, [text])
  return found
}

async function search(text: string, signal: AbortSignal): Promise<Found> {
  try {
    return { rows: await foundDestinations(text, signal), isSearching: false, problem: '' }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    return { rows: [], isSearching: false, problem: `Only pages were searched. ${problem}` }
  }
}
