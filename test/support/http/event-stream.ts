// Reads server-sent events of a response, for tests.

export interface SentEvent {
  /** Empty without the field. */
  readonly event: string
  readonly id: string
  /** The parsed data, without a type: the test has the expected shape. */
  // biome-ignore lint/suspicious/noExplicitAny: assertions read the fields they expect
  readonly data: any
}

/** Resolves when `isEnough` is true for the events so far, or when the stream ends. Then closes the stream. */
export async function readEvents(
  response: Response,
  isEnough: (events: readonly SentEvent[]) => boolean,
): Promise<SentEvent[]> {
  const found: SentEvent[] = []
  if (response.body === null) throw new Error(`status ${response.status} without a body`)
  let text = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
      const data = field('data')
      if (data !== '') found.push({ event: field('event'), id: field('id'), data: JSON.parse(data) })
    }
    if (isEnough(found)) break
  }
  return found
}
