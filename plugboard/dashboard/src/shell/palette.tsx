// The search: pages, routes and services by name, a request by its id, and the route of a URL.

import { useEffect, useRef, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import type { RouteBody, ServiceBody } from '../../../admin/api-types.ts'
import { get } from '../api/request.ts'
import { hrefOf } from './address.ts'
import { PAGES } from './navigation.tsx'

interface Result {
  readonly href: string
  readonly text: string
  readonly kind: string
}

const WAIT_MS = 120
const REQUEST_ID = /^[0-9a-f]{8}-?[0-9a-f-]*$/i

export function Palette({ onClose }: { onClose: () => void }) {
  const { route } = useLocation()
  const dialog = useRef<HTMLDialogElement>(null)
  const [text, setText] = useState('')
  const [results, setResults] = useState<readonly Result[]>(pagesFor(''))

  useEffect(() => {
    dialog.current?.showModal()
    return () => dialog.current?.close()
  }, [])
  useEffect(() => {
    const controller = new AbortController()
    const timer = setTimeout(async () => {
      const found = await search(text.trim(), controller.signal)
      if (!controller.signal.aborted) setResults(found)
    }, WAIT_MS)
    return () => {
      clearTimeout(timer)
      controller.abort()
    }
  }, [text])

  const choose = ({ href }: Result): void => {
    onClose()
    route(href)
  }
  const move = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const fields = [...(dialog.current?.querySelectorAll<HTMLElement>('input, a') ?? [])]
    const at = fields.indexOf(document.activeElement as HTMLElement)
    fields[Math.max(0, Math.min(fields.length - 1, at + step))]?.focus()
  }
  return (
    <dialog ref={dialog} aria-label="Search" onCancel={onClose} onKeyDown={move}>
      <form
        class="dialog"
        onSubmit={event => {
          event.preventDefault()
          const [first] = results
          if (first !== undefined) choose(first)
        }}
      >
        <input
          type="search"
          aria-label="Page, route, service, request id or URL"
          placeholder="Page, route, service, request id or URL"
          value={text}
          onInput={event => setText(event.currentTarget.value)}
        />
        <ul class="results" aria-label="Results">
          {results.map(result => (
            <li key={result.href + result.text}>
              <a href={result.href} onClick={onClose}>
                {result.text} <span class="soft small">{result.kind}</span>
              </a>
            </li>
          ))}
        </ul>
      </form>
    </dialog>
  )
}

const MAX_EACH = 6

const pagesFor = (text: string): Result[] =>
  PAGES.filter(([, name]) => name.toLowerCase().includes(text.toLowerCase())).map(([to, name]) => ({
    href: hrefOf(to),
    text: name,
    kind: 'page',
  }))

async function search(text: string, signal: AbortSignal): Promise<Result[]> {
  if (text === '') return pagesFor('')
  const direct: Result[] = []
  if (REQUEST_ID.test(text))
    direct.push({ href: hrefOf(`/traffic/${text}`), text, kind: 'explain this request' })
  if (/^https?:\/\//.test(text))
    direct.push({
      href: hrefOf(`/routes?url=${encodeURIComponent(text)}`),
      text,
      kind: 'show its route',
    })
  const [routes, services] = await Promise.all([
    rows<RouteBody>('/v1/routes', text, signal),
    rows<ServiceBody>('/v1/services', text, signal),
  ])
  return [
    ...direct,
    ...pagesFor(text),
    ...routes.map(({ id, mount }) => ({ href: hrefOf(`/routes/${id}`), text: mount, kind: 'route' })),
    ...services.map(({ name }) => ({ href: hrefOf(`/services/${name}`), text: name, kind: 'service' })),
  ]
}

/** A key without the scope of a list finds no rows of it. Another error is shown by the page itself, which also reads rows. */
async function rows<Row>(path: string, q: string, signal: AbortSignal): Promise<readonly Row[]> {
  try {
    return (await get<{ items: Row[] }>(path, { q, limit: MAX_EACH }, signal)).items
  } catch {
    return []
  }
}
