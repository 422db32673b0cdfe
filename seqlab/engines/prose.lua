-- What in a page's text would break the report, or reach out of its chapter? A script for `pandoc lua`.
-- Standard input: {"format", "known": [labels and citation keys], "texts": [Markdown]}; output: for each text
-- the first fault in a few words, or "".

local asked = pandoc.json.decode(io.read("a"), false)
local known = {}
for _, name in ipairs(asked.known) do known[name] = true end

local SCHEMES = { http = true, https = true, mailto = true }

local function sets(math) -- whether the formula can be converted
  local written = pandoc.write(pandoc.Pandoc { pandoc.Plain { math } }, "html", { html_math_method = "mathml" })
  return written:find("<math", 1, true) ~= nil
end

local function fault(text)
  local doc = pandoc.read(text, asked.format)
  if next(doc.meta) then return "a YAML block (--- to ---), which belongs into _quarto.yml" end
  local found
  local function first(what) found = found or what end
  local own = {}
  local function attributes(element)
    local id = element.identifier
    if id ~= "" then
      if known[id] or own[id] then first("the label #" .. id .. ", which is taken") end
      own[id] = true
    end
    for key in pairs(element.attributes) do
      if key:lower():match("^on") or key == "style" or key == "src" then first("the attribute " .. key) end
    end
  end
  local seen = {
    RawBlock = function(raw) first("a raw block of " .. raw.format) end,
    RawInline = function(raw) first("raw " .. raw.format) end,
    Image = function(image) first("the image " .. image.src .. "; a page's pictures are its figures") end,
    Math = function(math)
      if not sets(math) then first("the formula " .. math.text .. ", which is no TeX that can be set") end
    end,
  }
  for _, name in ipairs { "Header", "Div", "Figure", "Table", "CodeBlock", "Span", "Code" } do
    seen[name] = attributes
  end
  doc:walk(seen)
  doc:walk {
    Link = function(link)
      attributes(link)
      local scheme, inside = link.target:match("^%s*([%a][%w+.-]*):"), link.target:match("^#(.*)")
      if scheme and not SCHEMES[scheme:lower()] then first("a link to " .. link.target) end
      if inside and not known[inside] and not own[inside] then first("a link to #" .. inside .. ", which is no label") end
    end,
    Cite = function(cite)
      for _, one in ipairs(cite.citations) do
        local id = one.id
        local label = id:match("^%a%l+%-.") and id:gsub("^%u", string.lower) or id
        if not (known[id] or known[label] or own[label]) then
          first("@" .. id .. ", which is neither in references.bib nor a label; in code write `@" .. id .. "`")
        end
      end
    end,
  }
  return found or ""
end

local faults = {}
for place, text in ipairs(asked.texts) do
  local done, found = pcall(fault, text)
  faults[place] = done and found or ("what pandoc cannot read: " .. tostring(found))
end
io.write(pandoc.json.encode(pandoc.List(faults)))
