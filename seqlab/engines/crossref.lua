-- Which number has each figure, table, equation and section, and does every reference find one?
-- Numbers are written into captions and headings here, so that HTML and PDF cannot disagree.

local text_of = pandoc.utils.stringify
local words = { fig = "Figure", tbl = "Table", eq = "Equation", sec = "Section" }
local counts = { fig = 0, tbl = 0, eq = 0 }
local numbers = {} -- id -> { word, number }
local ids, problems = {}, {}

local function problem(text) table.insert(problems, text) end

local function kind_of(id)
  local kind = id:match("^(%l+)%-.")
  return words[kind] and kind or nil
end

local function next_number(id)
  local kind = kind_of(id)
  counts[kind] = counts[kind] + 1
  numbers[id] = { words[kind], tostring(counts[kind]) }
  return numbers[id]
end

local function label(caption, text)
  local inlines = pandoc.utils.blocks_to_inlines(caption.long)
  local mark = pandoc.Strong { text .. (#inlines > 0 and text:sub(-1) ~= ")" and ":" or "") }
  caption.long = { pandoc.Plain(pandoc.Inlines { mark, pandoc.Space() } .. inlines) }
  return caption
end

local function image_in(element)
  local found
  element:walk { Image = function(image) found = image end }
  return found
end

-- Sections: 1, 1.1 …; from a heading with .appendix on: A, A.1 …
local counters, appendices, base = {}, 0, nil

local function section(header, depth)
  local level = header.level
  if header.classes:includes("unnumbered") or level > depth then return nil end
  for deeper = level + 1, 6 do counters[deeper] = 0 end
  local word, number = "Section", nil
  if header.classes:includes("appendix") then
    appendices, base = appendices + 1, level
    word, number = "Appendix", string.char(64 + appendices)
  else
    if base and level <= base then base = nil end
    counters[level] = (counters[level] or 0) + 1
    number = base and string.char(64 + appendices)
    for at = base and base + 1 or 1, level do
      local count = counters[at] or 0
      if number or count > 0 then number = (number and number .. "." or "") .. count end
    end
    word = base and "Appendix" or word
  end
  numbers[header.identifier] = { word, number }
  header.content:insert(1, pandoc.Span({ pandoc.Str(number) }, { class = "header-section-number" }))
  header.content:insert(2, pandoc.Space())
  return header
end

local function figure(element)
  if kind_of(element.identifier) ~= "fig" then return nil end
  local number = next_number(element.identifier)
  element.caption = label(element.caption, number[1] .. "\u{a0}" .. number[2])
  return element, false
end

local function lone_image(para) -- ![](a.svg){#fig-a}, which pandoc leaves in a paragraph
  local image = #para.content == 1 and para.content[1]
  if not image or image.t ~= "Image" or kind_of(image.identifier) ~= "fig" then return nil end
  local id = image.identifier
  image.identifier = ""
  return figure(pandoc.Figure({ pandoc.Plain { image } }, {}, { id = id }))
end

local function tabular(element)
  if kind_of(element.identifier) ~= "tbl" then return nil end
  local number = next_number(element.identifier)
  element.caption = label(element.caption, number[1] .. "\u{a0}" .. number[2])
  return element, false
end

-- A div with a figure's or table's label: the last paragraph is its caption, what is before it its cells.
local function float(div)
  local first, kind = div.content[1], kind_of(div.identifier)
  if first and first.t == "Header" and table.concat(div.classes, " "):match("callout%-") then
    first.classes:extend { "unnumbered", "unlisted" } -- it is the callout's title
    return div
  end
  if kind ~= "fig" and kind ~= "tbl" then return nil end
  local cells, caption = div.content:clone(), {}
  local last = cells[#cells]
  if last and last.t == "Para" and not image_in(last) then caption = { pandoc.Plain(cells:remove().content) } end
  if kind == "tbl" and #cells == 1 and cells[1].t == "Table" then
    cells[1].attr = div.attr
    cells[1].caption.long = caption
    return tabular(cells[1])
  end
  local number = next_number(div.identifier)
  if div.classes:includes("passages") then -- texts one below another, which may go on over a page
    local whole = label({ long = caption }, number[1] .. "\u{a0}" .. number[2])
    return pandoc.Figure(cells, whole, { id = div.identifier, class = "passages" }), false
  end
  local part = 0
  for index, cell in ipairs(cells) do
    if cell.t == "Para" and image_in(cell) then
      local image = image_in(cell)
      image.attributes["fig-alt"] = image.attributes["fig-alt"] or div.attributes["fig-alt"]
      cell = pandoc.Figure({ pandoc.Plain { image } }, {}, { id = image.identifier })
      image.identifier = ""
    end
    if cell.t == "Figure" and kind_of(cell.identifier) then
      part = part + 1
      local letter = "(" .. string.char(96 + part) .. ")"
      numbers[cell.identifier] = { number[1], number[2] .. "\u{a0}" .. letter }
      cell.caption = label(cell.caption, letter)
    end
    cells[index] = cell
  end
  local whole = label({ long = caption }, number[1] .. "\u{a0}" .. number[2])
  return pandoc.Figure(cells, whole, { id = div.identifier, class = "panel", columns = div.attributes["layout-ncol"] or "1" }), false
end

local function equation(span)
  if kind_of(span.identifier) ~= "eq" then return nil end
  local number, alt = next_number(span.identifier), span.attributes.alt
  if not alt then problem("equation " .. span.identifier .. ' has no alt="…" after its label') end
  span.classes = { "equation" }
  span.attributes.number = "(" .. number[2] .. ")"
  return span, false
end

local function reference(cite)
  local found, others = pandoc.Inlines {}, {}
  for _, asked in ipairs(cite.citations) do
    local id = asked.id:gsub("^%u", string.lower)
    if kind_of(id) then
      if #found > 0 then found:extend { pandoc.Str ",", pandoc.Space() } end
      local number = numbers[id]
      if not number then problem("@" .. asked.id .. " refers to nothing") end
      local word = number and number[1] or ""
      if #asked.prefix > 0 then word = text_of(asked.prefix) end
      if asked.mode == "SuppressAuthor" then word = "" end
      local text = (word ~= "" and word .. "\u{a0}" or "") .. (number and number[2] or "?")
      found:insert(pandoc.Link(text, "#" .. id, "", { class = "reference" }))
      found:extend(asked.suffix)
    else
      table.insert(others, asked)
    end
  end
  if #found == 0 then return nil end
  if #others > 0 then found:extend { pandoc.Space(), pandoc.Cite(cite.content, others) } end
  return found
end

local function check(doc)
  local function collect(element)
    local id = element.identifier
    if id and id ~= "" then
      if ids[id] then problem("the label #" .. id .. " is used twice") end
      ids[id] = true
    end
  end
  -- Only what can have a label, since every element that a filter sees is copied.
  local seen = {}
  for _, name in ipairs { "Header", "Div", "Figure", "Table", "CodeBlock", "Span", "Code", "Link", "Image" } do
    seen[name] = collect
  end
  doc:walk(seen)
  doc:walk {
    Link = function(link)
      local id = link.target:match("^#(.+)")
      if id and not ids[id] then problem("the link to #" .. id .. " leads nowhere") end
    end,
    Image = function(image)
      local source = image.src
      local name = "image " .. source
      if source:match("^%a+:") then problem(name .. " is not a file of the project") return end
      local file = io.open(source, "rb")
      if file then file:close() else problem(name .. " does not exist") end
      if (image.attributes["fig-alt"] or "") == "" then problem(name .. ' has no fig-alt="…"') end
    end,
  }
end

function Pandoc(doc)
  local numbered = doc.meta["number-sections"]
  local depth = numbered and tonumber(text_of(doc.meta["number-depth"] or "6")) or 0
  doc = doc:walk {
    traverse = "topdown",
    Header = function(header)
      local result = section(header, depth)
      if not result then numbers[header.identifier] = { "", text_of(header.content) } end
      return result
    end,
    Figure = figure, Table = tabular, Div = float, Para = lone_image, Span = equation,
  }
  check(doc)
  doc = doc:walk { Cite = reference }
  if #problems > 0 then error("seqlab: " .. table.concat(problems, "; "), 0) end
  return doc
end
