-- What does Typst need that Markdown cannot say? Verdict badges, and alt text for inline mathematics.
-- Both engines run this filter (`filters:` in _quarto.yml). In HTML, seqlab.css does the badges.

if not FORMAT:match("typst") then return {} end

local function quoted(text) return '"' .. text:gsub("\\", "\\\\"):gsub('"', '\\"'):gsub("%s+", " ") .. '"' end

local function verdict(span)
  if not span.classes:includes("verdict") then return nil end
  local kind = span.classes:filter(function(name) return name ~= "verdict" end)[1] or ""
  local result = pandoc.Inlines { pandoc.RawInline("typst", "#verdict(" .. quoted(kind) .. ")[") }
  result:extend(span.content)
  result:insert(pandoc.RawInline("typst", "];")) -- the semicolon: a bracket that follows is text
  return result
end

-- What made a text stands above it, on the same page.
local function title(div)
  if not div.classes:includes("passage-title") then return nil end
  local result = pandoc.Blocks { pandoc.RawBlock("typst", "#passage-title[") }
  result:extend(div.content)
  result:insert(pandoc.RawBlock("typst", "]"))
  return result
end

-- PDF/UA refuses mathematics without alt text. Only labelled equations have a place to write one
-- (`$$ … $$ {#eq-a alt="…"}`); for the others, the TeX source is what a reader is told.
local function mathematics(inlines)
  for index, math in ipairs(inlines) do
    local after = pandoc.utils.stringify { inlines[index + 1] or "", inlines[index + 2] or "" }
    if math.t == "Math" and not after:match("^%s*{#eq") then
      local body = pandoc.write(pandoc.Pandoc { pandoc.Plain { math } }, "typst"):gsub("%s+$", "")
      local display = math.mathtype == "DisplayMath" and "block: true, " or ""
      inlines[index] = pandoc.RawInline("typst", "#math.equation(" .. display .. "alt: " .. quoted(math.text) .. ", " .. body .. ");")
    end
  end
  return inlines
end

local function span(element)
  if element.classes:includes("equation") then return element, false end -- it has its alt text
  return verdict(element)
end

return { { traverse = "topdown", Div = title, Span = span, Inlines = mathematics } }
