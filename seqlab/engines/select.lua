-- What does this format see? Its options, its half of the conditional content, its styles.
-- Raw HTML becomes visible text (see also the reader in pandoc.py), so that <script> in a name does nothing.

local format = FORMAT:match("^typst") and "typst" or "html"
local text_of = pandoc.utils.stringify

local function read(path)
  local file = io.open(path, "r")
  if not file then error("seqlab: expected the file " .. path .. ", which _quarto.yml names, found none", 0) end
  local content = file:read("a")
  file:close()
  return content
end

local function listed(value)
  if value == nil then return {} end
  return pandoc.utils.type(value) == "List" and value or { value }
end

local function options(meta)
  for name, value in pairs(meta.format and meta.format[format] or {}) do meta[name] = value end
  local raw = pandoc.List()
  for _, item in ipairs(listed(meta["include-in-header"])) do
    local named = type(item) == "table" and item.file or nil
    raw:insert(item.text and text_of(item.text) or read(text_of(named or item)))
  end
  meta["header-includes"] = raw:map(function(text) return pandoc.MetaBlocks { pandoc.RawBlock(format, text) } end)
  if format == "html" then
    local styles = { read(pandoc.path.join { pandoc.path.directory(PANDOC_SCRIPT_FILE), "page.css" }) }
    for _, path in ipairs(listed(meta.css)) do table.insert(styles, read(text_of(path))) end
    for _, path in ipairs(listed(meta["include-after-body"])) do
      local named = type(path) == "table" and path.file or path
      local after = meta["include-after"] or pandoc.MetaList {}
      after:insert(pandoc.MetaBlocks { pandoc.RawBlock("html", read(text_of(named))) })
      meta["include-after"] = after
    end
    meta.styles = pandoc.MetaInlines { pandoc.RawInline("html", table.concat(styles, "\n")) }
  end
  local language, region = text_of(meta.lang or "en"):match("^(%a+)%-?(%a*)")
  meta.language, meta.region = language, region ~= "" and region or nil
  meta["reference-section-title"] = meta["reference-section-title"] or "References"
  meta["link-citations"] = meta["link-citations"] == nil or meta["link-citations"]
  return meta
end

local function visible(element)
  local classes, asked = element.classes, element.attributes
  local shown = classes:includes("content-visible")
  if not shown and not classes:includes("content-hidden") then return nil end
  local matches = true
  if asked["when-format"] then matches = asked["when-format"] == format end
  if asked["unless-format"] then matches = matches and asked["unless-format"] ~= format end
  return matches == shown and element.content or {}
end

local function literal(element)
  if element.format ~= "html" then return nil end
  local text = pandoc.Str(element.text)
  return element.t == "RawBlock" and pandoc.Para { text } or text
end

function Pandoc(doc)
  doc = doc:walk { Div = visible, Span = visible, RawBlock = literal, RawInline = literal }
  doc.meta = options(doc.meta) -- afterwards: the walk would make text of the styles, too
  return doc
end
