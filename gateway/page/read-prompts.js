// Prompts out of text: a line each, CSV, or JSON Lines.

export const MOST = 10000;
const NAMES = ["prompt", "question", "text", "input"];

// {prompts, skipped, cut}: lines that held none, and whether there were more than MOST.
export function readPrompts(text, fileName = "") {
  const ending = fileName.toLowerCase().split(".").pop();
  const read = ending === "csv" ? ofCsv(text) : ending === "jsonl" || ending === "ndjson" ? lines(text).map(ofJson) : lines(text);
  const found = read.map((each) => each?.trim() ?? "");
  const prompts = found.filter(Boolean);
  return { prompts: prompts.slice(0, MOST), skipped: found.length - prompts.length, cut: prompts.length > MOST };
}

const lines = (text) => text.replace(/^\ufeff/, "").split(/\r?\n/).filter((line) => line.trim());

function ofJson(line) {
  let value;
  try { value = JSON.parse(line); } catch { return null; }
  if (typeof value === "string") return value;
  const named = NAMES.map((name) => value?.[name]).find((each) => typeof each === "string");
  if (named !== undefined) return named;
  const asked = Array.isArray(value?.messages) ? value.messages.filter((each) => each?.role === "user").pop()?.content : null;
  return typeof asked === "string" ? asked : null;
}

// The column of that name, else the first one, whose first row is then a prompt too.
function ofCsv(text) {
  const rows = csvRows(text.replace(/^\ufeff/, ""));
  const head = (rows[0] ?? []).map((cell) => cell.trim().toLowerCase());
  const column = NAMES.map((name) => head.indexOf(name)).find((index) => index >= 0);
  return column === undefined ? rows.map((row) => row[0]) : rows.slice(1).map((row) => row[column]);
}

// RFC 4180: quoted cells may hold commas, line breaks and doubled quotes.
function csvRows(text) {
  const rows = [];
  let row = [], cell = "", quoted = false;
  const endRow = () => {
    row.push(cell);
    if (row.length > 1 || row[0] !== "") rows.push(row);
    [row, cell] = [[], ""];
  };
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') { cell += '"'; at += 1; } else quoted = false;
    } else if (character === '"' && cell === "") quoted = true;
    else if (character === ",") { row.push(cell); cell = ""; } else if (character === "\n") endRow();
    else if (character !== "\r") cell += character;
  }
  if (cell !== "" || row.length) endRow();
  return rows;
}
