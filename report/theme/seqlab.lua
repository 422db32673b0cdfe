-- What can Markdown not say? Small pictures, tiles, folded parts, the order of parts on paper, badges.
-- Both engines run this filter (`filters:` in _quarto.yml). In HTML, seqlab.css does the looks; on paper,
-- header.typ has a function of the same name for every class here.

local typst = FORMAT:match("typst") ~= nil
local text_of = pandoc.utils.stringify

local function quoted(text) return '"' .. text:gsub("\\", "\\\\"):gsub('"', '\\"'):gsub("%s+", " ") .. '"' end
local function attribute(text) return (text:gsub("&", "&amp;"):gsub('"', "&quot;"):gsub("<", "&lt;")) end
local function html(text) return pandoc.RawBlock("html", text) end
local function typ(text) return pandoc.RawBlock("typst", text) end
local function has(element, name) return element.classes:includes(name) end
local function second(element, first) -- the class beside this one
  return element.classes:filter(function(name) return name ~= first end)[1] or ""
end

-- An SVG as part of the page, whose text is text and whose colours follow the page's. Ids would collide.
local function inline(path, alt)
  local file = path:match("%.svg$") and io.open(path, "rb")
  if not file then return nil end
  local data = file:read("a")
  file:close()
  local start = data:find("<svg", 1, true)
  if not start or data:find('%sid="') then return nil end
  local root = '<svg role="img" aria-label="' .. attribute(alt) .. '"'
  return pandoc.RawInline("html", root .. data:sub(start + 4):gsub("%s+$", ""))
end

local KEPT = { verdict = true, ["passage-title"] = true } -- the others have the project's name before theirs
local function called(name) return (KEPT[name:match("^[%a-]+")] and "" or "seqlab-") .. name end

local function wrapped(inlines, name)
  local result = pandoc.Inlines { pandoc.RawInline("typst", "#" .. called(name) .. "[") }
  result:extend(inlines)
  result:insert(pandoc.RawInline("typst", "];")) -- the semicolon: a bracket that follows is text
  return result
end

local function enclosed(blocks, name)
  local result = pandoc.Blocks { typ("#" .. called(name) .. "[") }
  result:extend(blocks)
  result:insert(typ("]"))
  return result
end

local SPANS = { question = true, below = true, told = true, rest = true, quote = true, cited = true, count = true,
  ["picture-title"] = true, ["picture-measure"] = true, ["theme-name"] = true }
local DIVS = { answer = true, legend = true, outlook = true, ["passage-title"] = true, ledger = true, article = true }

local function span(element)
  if has(element, "equation") then return element, false end -- it has its alt text
  if has(element, "drawing") then
    local path, alt, width = element.attributes.src, element.attributes.alt, element.attributes.width
    if not typst then return inline(path, alt) end
    return pandoc.RawInline("typst", ("#box(width: %s, image(%s, width: 100%%, alt: %s));"):format(width or "100%", quoted(path), quoted(alt)))
  end
  if not typst then return nil end
  if has(element, "said") or has(element, "meta") then return pandoc.Inlines {} end
  if has(element, "verdict") then return wrapped(element.content, "verdict(" .. quoted(second(element, "verdict")) .. ")") end
  local name = element.classes[1]
  if name and SPANS[name] then return wrapped(element.content, name) end
end

local function link(element)
  if not typst then return nil end
  for _, name in ipairs { "tile", "quoted" } do
    if has(element, name) then
      local kind = second(element, name)
      element.classes = {}
      return wrapped({ element }, name .. "(" .. quoted(kind) .. ")")
    end
  end
end

local function image(element)
  if typst then return nil end
  return inline(element.src, element.attributes["fig-alt"] or text_of(element.caption))
end

local function table_heads(element)
  if typst then return nil end
  for _, row in ipairs(element.head.rows) do
    for _, cell in ipairs(row.cells) do cell.attributes.scope = "col" end
  end
  for _, body in ipairs(element.bodies) do
    body.row_head_columns = 1
    for _, row in ipairs(body.body) do row.cells[1].attributes.scope = "row" end
  end
  return element
end

-- Columns of tiles: each part of the scoreboard is one.
local function board(div)
  local result = pandoc.Blocks { typ("#seqlab-board(") }
  for _, theme in ipairs(div.content) do
    result:insert(typ("["))
    for _, block in ipairs(theme.content or {}) do
      if block.t == "BulletList" then
        for _, item in ipairs(block.content) do result:extend(item) end
      else
        result:insert(block)
      end
    end
    result:insert(typ("],"))
  end
  result:insert(typ(")"))
  return result
end

local function pair(div)
  local result = pandoc.Blocks { typ("#seqlab-pair(") }
  for _, cell in ipairs(div.content) do
    result:insert(typ("["))
    result:extend(cell.content or pandoc.Blocks { cell })
    result:insert(typ("],"))
  end
  result:insert(typ(")"))
  return result
end

local function div(element)
  if has(element, "details") and not typst then
    local result = pandoc.Blocks { html("<details class=\"fold\"><summary>" .. attribute(element.attributes.summary) .. "</summary>") }
    result:extend(element.content)
    result:insert(html("</details>"))
    return result
  end
  if not typst then return nil end
  if has(element, "contents-here") then return typ("#seqlab-contents()") end
  if has(element, "board") then return board(element) end
  if has(element, "pair") then return pair(element) end
  local name = element.classes[1]
  if name and DIVS[name] then return enclosed(element.content, name) end
end

-- PDF/UA refuses mathematics without alt text. Only labelled equations have a place to write one
-- (`$$ … $$ {#eq-a alt="…"}`); for the others, the TeX source is what a reader is told.
local labelled = {} -- the displayed equations of this paragraph that have a label, by their text

local function paragraph(element)
  labelled = {}
  for index, math in ipairs(typst and element.content or {}) do
    if math.t == "Math" and math.mathtype == "DisplayMath" then
      local after = text_of { element.content[index + 1] or "", element.content[index + 2] or "" }
      labelled[math.text] = after:match("^%s*{#eq") ~= nil
    end
  end
end

local function mathematics(math)
  local displayed = math.mathtype == "DisplayMath"
  if not typst or displayed and labelled[math.text] then return nil end
  local body = pandoc.write(pandoc.Pandoc { pandoc.Plain { math } }, "typst"):gsub("%s+$", "")
  local block = displayed and "block: true, " or ""
  return pandoc.RawInline("typst", "#math.equation(" .. block .. "alt: " .. quoted(math.text) .. ", " .. body .. ");")
end

-- What is folded on a screen stands on paper after the chapters, or after the claims, under its own name.
local function to_the_end(doc)
  if not typst then return nil end
  local kept, details = pandoc.Blocks {}, pandoc.Blocks {}
  for _, block in ipairs(doc.blocks) do
    if block.t == "Div" and has(block, "details") then
      details:insert(typ("#seqlab-details-title["))
      details:insert(pandoc.Plain { pandoc.Str(block.attributes.summary) })
      details:insert(typ("]"))
      details:extend(block.content)
    else
      kept:insert(block)
    end
  end
  local result = pandoc.Blocks {}
  local placed = false
  for _, block in ipairs(kept) do
    if block.t == "Div" and has(block, "details-here") then
      placed = true
      if #details > 0 then
        result:insert(pandoc.Header(1, "Details of chapters and claims", { id = "sec-details" }))
        result:extend(details)
      end
    else
      result:insert(block)
    end
  end
  doc.blocks = placed and result or doc.blocks
  return doc
end

-- PDF/UA refuses a character that no font has. Weaving has listed those of this document, by their numbers.
local function shown(doc)
  local listed = typst and text_of(doc.meta["missing-glyphs"] or "") or ""
  if listed == "" then return nil end
  local missing = {}
  for number in listed:gmatch("%d+") do missing[utf8.char(tonumber(number))] = "\u{fffd}" end
  local function visible(text) return (text:gsub("[\xc2-\xf4][\x80-\xbf]*", missing)) end
  local function replaced(element)
    if not element.text:find("[\xc2-\xf4]") then return nil end
    element.text = visible(element.text)
    return element
  end
  local function told(element) -- attributes that are printed
    for _, name in ipairs { "title", "summary" } do
      if element.attributes[name] then element.attributes[name] = visible(element.attributes[name]) end
    end
    return element
  end
  return doc:walk { Str = replaced, Code = replaced, CodeBlock = replaced, Math = replaced, Div = told }
end

return {
  { Pandoc = shown },
  { Pandoc = to_the_end },
  { traverse = "topdown", Div = div, Span = span, Link = link, Image = image, Table = table_heads, Para = paragraph, Math = mathematics },
}
