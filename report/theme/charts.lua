-- How does a chart become part of a page? As SVG within it: its text is text, and its colours are the page's.
-- A drawing's description is its alt text (seqlab/charts/kept.py). Paper has the file itself.

if not FORMAT:match("^html") then return {} end

local function image(element)
  local file = element.src:match("%.svg$") and io.open(element.src, "rb")
  if not file then return nil end
  local drawing = file:read("a")
  file:close()
  local root, description, shapes = drawing:match("(<svg.-)><desc>(.-)</desc>(.*)")
  if not root then return nil end
  local name = description:gsub("%s+", " ")
  return pandoc.RawInline("html",
    '<div class="chart">' .. root .. ' role="img" aria-label="' .. name .. '">' .. shapes .. "</div>")
end

return { { Image = image } }
