// The base of the elements for other pages: attributes, the token, the shadow root with its styles, and the events.

import { effect } from '@preact/signals'
import { type ComponentType, render } from 'preact'
import { ApiError } from '../api/request.ts'
import { TrafficSourceContext } from '../charts/traffic-source.ts'
import { ElementFrame } from './element-frame.tsx'
import { type ElementSource, type SourceState, sourceOf, type TokenFunction } from './element-source.ts'
import { elementStyles } from './element-styles.ts'

export interface ViewProps {
  readonly source: ElementSource
  /** The attribute `service`; undefined: all services. */
  readonly service: string | undefined
  /** The attribute `range`, such as `2h`. */
  readonly range: string | undefined
}

const DEFAULT_BASE = new URL(import.meta.url).origin

/** The state of an element: that of its source, or that it has no source. */
export type ElementState = SourceState['name']

export abstract class PlugboardElement extends HTMLElement {
  static readonly observedAttributes = ['src', 'service', 'range']
  /** The name of the content for screen readers. */
  protected abstract readonly label: string
  protected abstract readonly view: ComponentType<ViewProps>
  readonly #root = this.attachShadow({ mode: 'open' })
  #token: TokenFunction | undefined
  #release: (() => void) | undefined
  #state: ElementState = 'no-token'
  /** True between connectedCallback and disconnectedCallback. At an upgrade, the callbacks of attributes come before both. */
  #isActive = false

  /** A function that returns an API key, or a promise of one. It is called again when a key has expired. */
  get token(): TokenFunction | undefined {
    return this.#token
  }
  set token(token: TokenFunction | undefined) {
    this.#token = token
    if (this.#isActive) this.#connect()
  }

  get state(): ElementState {
    return this.#state
  }

  connectedCallback(): void {
    this.#isActive = true
    this.#root.adoptedStyleSheets = [elementStyles()]
    // A page may set the property before the script has defined the element.
    if (Object.hasOwn(this, 'token')) {
      const { token } = this
      Reflect.deleteProperty(this, 'token')
      this.token = token
    } else this.#connect()
  }

  disconnectedCallback(): void {
    this.#isActive = false
    this.#disconnect()
    render(null, this.#root)
  }

  attributeChangedCallback(_name: string, before: string | null, after: string | null): void {
    if (this.#isActive && before !== after) this.#connect()
  }

  #disconnect(): void {
    this.#release?.()
    this.#release = undefined
  }

  #connect(): void {
    this.#disconnect()
    const base = this.#base()
    const problem =
      base === undefined
        ? `The attribute src is not a URL of http or https: ${this.getAttribute('src')}`
        : this.#token === undefined
          ? 'This element has no API key. Set its property token to a function that returns one.'
          : undefined
    if (base === undefined || this.#token === undefined) {
      const error = new ApiError(0, { code: 'no_token', detail: problem ?? '' })
      this.#render(undefined, { name: 'no-token', error })
      return
    }
    const source = sourceOf(base, this.#token)
    const close = source.use()
    const dispose = effect(() => this.#report(source.state.value))
    this.#release = () => {
      dispose()
      close()
    }
    this.#render(source, undefined)
  }

  #base(): string | undefined {
    const url = URL.parse(this.getAttribute('src') ?? DEFAULT_BASE, document.baseURI)
    if (url === null || !/^https?:$/.test(url.protocol)) return undefined
    return url.origin + url.pathname.replace(/\/+$/, '')
  }

  #render(source: ElementSource | undefined, problem: SourceState | undefined): void {
    if (problem !== undefined) this.#report(problem)
    const View = this.view
    const props = {
      service: this.getAttribute('service') || undefined,
      range: this.getAttribute('range') || undefined,
    }
    render(
      <ElementFrame label={this.label} source={source} problem={problem}>
        {source !== undefined && (
          <TrafficSourceContext.Provider value={source} key={source.base}>
            <View source={source} {...props} />
          </TrafficSourceContext.Provider>
        )}
      </ElementFrame>,
      this.#root,
    )
  }

  /** Sends the events. They leave the shadow root, so that one listener of the page receives them for all elements. */
  #report(state: SourceState): void {
    const isNew = this.#state !== state.name
    this.#state = state.name
    const send = (name: string, detail: object): void => {
      this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }))
    }
    if (isNew) send('plugboard-state', { state: state.name })
    if (!('error' in state)) return
    const { status, code, message } = state.error
    send('plugboard-error', { state: state.name, status, code, message })
  }
}
