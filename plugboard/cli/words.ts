// Words that several commands print. A command explains a house word where its output has it first.

export const LINE_MEANING = 'a line is one service that one tunnel offers'

/** The destination of a route's requests: its service, or Plugboard itself (a redirect or a fixed response). */
export const useOf = (service: string | null): string => service ?? '(Plugboard responds)'
