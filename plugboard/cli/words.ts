// Words that several commands print. A command explains a term of Vera-Stack at its first place in the output.

export const LINE_MEANING = 'a line is one service that one tunnel offers'

/** Returns the destination of the requests of a route: its service, or Plugboard itself (a redirect or a fixed response). */
export const useOf = (service: string | null): string => service ?? '(Plugboard responds)'
