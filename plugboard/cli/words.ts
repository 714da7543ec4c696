// Explanations of house words for the output of commands. Each command explains such a word where its output has it first.

export const LINE_MEANING = 'a line is one service that one tunnel offers'
