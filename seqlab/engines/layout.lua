-- How does each block look in HTML and in Typst? Figures, panels, tables, callouts, equations, contents.
-- The project's own filters (`filters:` in _quarto.yml) run first, as Quarto runs them before its own.

local typst = FORMAT:match("^typst") ~= nil
local text_of = pandoc.utils.stringify

local function html(text) return pandoc.RawBlock("html", text) end
local function typ(text) return pandoc.RawBlock("typst", text) end
local function quoted(text) return '"' .. text:gsub("\\", "\\\\"):gsub('"', '\\"'):gsub("%s+", " ") .. '"' end
local function attribute(text) return text:gsub("&", "&amp;"):gsub('"', "&quot;"):gsub("<", "&lt;") end
local function tag(id) return id ~= "" and "<" .. id .. ">" or "" end
local function blocks(...) return pandoc.Blocks { ... } end
local filter = {} -- filled below; a function that returns several blocks walks its own content with it

local function image(element)
  local alt = element.attributes["fig-alt"]
  if typst then
    local width = element.attributes.width or ""
    if not width:match("^[%d.]+[%%cmp][mt]?$") then width = "100%" end
    return pandoc.RawInline("typst", ("#image(%s, width: %s, alt: %s);"):format(quoted(element.src), width, quoted(alt)))
  end
  local file = io.open(element.src, "rb")
  local data = file:read("a")
  file:close()
  local kind = element.src:match("%.svg$") and "image/svg+xml" or element.src:match("%.jpe?g$") and "image/jpeg" or "image/png"
  element.attributes["fig-alt"] = nil
  element.src = pandoc.mediabag.make_data_uri(kind, data)
  element.caption = { pandoc.Str(alt) }
  return element
end

local function grid(cells, columns)
  local result = blocks(typst and typ("#grid(columns: (1fr,) * " .. columns .. ", gutter: 1.2em,")
    or html('<div class="cells" style="--columns: ' .. columns .. '">'))
  for _, cell in ipairs(cells) do
    if typst then result:insert(typ("[")) end
    result:extend(pandoc.Blocks { cell }:walk(filter))
    if typst then result:insert(typ("],")) end
  end
  result:insert(typst and typ(")") or html("</div>"))
  return result
end

local function figure(element)
  local columns, caption = element.attributes.columns, element.caption.long
  local content = columns and grid(element.content, columns) or element.content:walk(filter)
  if not typst then
    element.attributes.columns = nil
    element.content = content
    return element, false
  end
  local result = blocks(typ("#figure(kind: image, ["))
  result:extend(content)
  result:insert(typ("]"))
  if #caption > 0 then
    result:insert(typ(", caption: ["))
    result:extend(caption)
    result:insert(typ("]"))
  end
  result:insert(typ(")" .. tag(element.identifier)))
  return result, false
end

local function tabular(element, doc_widths)
  local widths = element.attributes["tbl-colwidths"] or doc_widths
  local shares, total = {}, 0
  for share in (widths or ""):gmatch("[%d.]+") do
    table.insert(shares, tonumber(share))
    total = total + tonumber(share)
  end
  for index, spec in ipairs(element.colspecs) do
    spec[2] = #shares == #element.colspecs and shares[index] / total or nil
    element.colspecs[index] = spec
  end
  element.attributes["tbl-colwidths"] = nil
  if typst then return element end
  local caption, id = element.caption.long, element.identifier
  element.caption, element.identifier = { long = {} }, ""
  local name = attribute(text_of(caption):gsub(":.*", ""))
  local result = blocks(html('<figure class="table"' .. (id ~= "" and ' id="' .. attribute(id) .. '"' or "") .. ">"))
  if #caption > 0 then
    result:insert(html("<figcaption>"))
    result:extend(caption)
    result:insert(html("</figcaption>"))
  end
  local style = ' style="--columns: ' .. #element.colspecs .. '"'
  result:extend { html('<div class="scroll" data-name="' .. name .. '"' .. style .. ">"), element:walk(filter), html("</div></figure>") }
  return result, false
end

local function callout(div)
  local kind = table.concat(div.classes, " "):match("callout%-(%l+)")
  if not kind then
    local columns = div.attributes["layout-ncol"]
    if columns then return grid(div.content, columns), false end
    return nil
  end
  local body = div.content:walk(filter)
  local title = pandoc.Inlines(div.attributes.title or kind:sub(1, 1):upper() .. kind:sub(2))
  if div.attributes.title then
    local read = pandoc.read(div.attributes.title, "markdown-raw_html-raw_tex-native_spans-native_divs")
    title = pandoc.utils.blocks_to_inlines(read.blocks)
  elseif body[1] and body[1].t == "Header" then
    title = body:remove(1).content
  end
  local icon = div.attributes.icon ~= "false"
  local result
  if typst then
    result = blocks(typ("#callout(" .. quoted(kind) .. ", icon: " .. tostring(icon) .. ", ["))
    result:insert(pandoc.Plain(title))
    result:insert(typ("])["))
    result:extend(body)
    result:insert(typ("]"))
    return result, false
  end
  local class = "callout callout-" .. kind .. (icon and "" or " no-icon")
  local folded = div.attributes.collapse
  result = blocks(html(folded and ('<details class="%s"%s><summary>'):format(class, folded == "true" and "" or " open")
    or ('<div class="%s" role="note"><div class="callout-title">'):format(class)))
  result:insert(pandoc.Plain(title))
  result:insert(html(folded and '</summary><div class="callout-body">' or '</div><div class="callout-body">'))
  result:extend(body)
  result:insert(html(folded and "</div></details>" or "</div></div>"))
  return result, false
end

local function equation(span)
  if not span.classes:includes("equation") then return nil end
  local number = span.attributes.number
  if not typst then
    span.attributes = {}
    span.content:insert(pandoc.Span({ number }, { class = "equation-number" }))
    return span, false
  end
  local body = pandoc.write(pandoc.Pandoc { pandoc.Plain(span.content) }, "typst"):gsub("%s+$", "")
  return pandoc.RawInline("typst", ("#math.equation(block: true, numbering: _ => %s, alt: %s, %s)%s"):format(
    quoted(number), quoted(span.attributes.alt), body, tag(span.identifier))), false
end

local function heading(element)
  local first = element.content[1]
  if typst and first and first.t == "Span" and first.classes:includes("header-section-number") then
    element.content[1] = pandoc.RawInline("typst", "#section-number[" .. text_of(first) .. "];")
    element.content:remove(2)
  end
  element.classes = element.classes:filter(function(name) return name ~= "appendix" end)
  return element
end

function Pandoc(doc)
  for _, path in ipairs(doc.meta.filters or {}) do
    if text_of(path) ~= "quarto" then doc = pandoc.utils.run_lua_filter(doc, text_of(path)) end
  end
  local widths = doc.meta["tbl-colwidths"]
  widths = widths and type(widths) ~= "boolean" and text_of(widths) or nil
  if doc.meta.toc and not typst then
    local depth = tonumber(text_of(doc.meta["toc-depth"] or "3"))
    local list = pandoc.structure.table_of_contents(doc, pandoc.WriterOptions { toc_depth = depth })
    doc.meta.contents = pandoc.MetaBlocks { list }
  end
  filter.traverse = "topdown"
  filter.Header, filter.Span, filter.Image = heading, equation, image
  filter.Div, filter.Figure = callout, figure
  filter.Table = function(element) return tabular(element, widths) end
  return doc:walk(filter)
end
