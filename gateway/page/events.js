// Server-sent events of a response: {data} for an event's data, {comment} for a comment.

export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      // A carriage return at the end may be the first half of a line break.
      const lines = (rest + (value ?? "")).split(/\r\n|\n|\r(?!$)/);
      rest = done ? "" : lines.pop();
      for (const line of lines) {
        if (line === "" && data.length) {
          yield { data: data.join("\n") };
          data = [];
        } else if (line.startsWith(":")) yield { comment: line.slice(1).trim() };
        else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
      if (done) break;
    }
    if (data.length) yield { data: data.join("\n") };
  } finally {
    reader.cancel().catch(() => {});
  }
}
