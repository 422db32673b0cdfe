"""How does a drawn figure become SVG? Text stays text, and colours have names that a page's style may change.

Each shape has its colour as an attribute, which paper shows, and its colour's name as a class, by which
`report/theme/charts.css` chooses the shade for a light or a dark page: one drawing serves both. Nothing has
an id, so that many drawings can stand in one page. Lengths are in points, from the upper left corner.
"""

import base64
import io
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Transform

from seqlab.charts.colours import NAMED, TEXT_NAMED
from seqlab.charts.hover import hovers_of

# Typst has the first of them within itself; a page's style puts its own font in their place.
FONTS = "Libertinus Serif, DejaVu Sans, sans-serif"
_ANCHORS = {"center": "middle", "right": "end"}
_CODES = {Path.MOVETO: ("M", 1), Path.LINETO: ("L", 1), Path.CURVE3: ("Q", 2), Path.CURVE4: ("C", 3)}
_DOT = 26  # vertices of the unit circle, which no other marker has
_MANY = 3  # dots: each takes a quarter of the letters of a circle


def svg(figure: Figure) -> str:
    """The figure as an SVG document. Equal figures give equal text. Call within `style.theme()`."""
    width, height = (float(side) * 72 for side in figure.get_size_inches())
    renderer = _Renderer(width, height)
    for text in figure.findobj(Text):
        if "\n" in text.get_text():  # matplotlib hands its lines over without telling how they are aligned
            text.set_gid(f"{text.get_gid() or ''}|{text.get_horizontalalignment()}")
    figure.draw(renderer)
    for x, y, told in hovers_of(figure):
        spot = f'<circle cx="{_short(72 * x)}" cy="{_short(height - 72 * y)}" r="7">'
        renderer.parts.append(f"{spot}<title>{_written(told)}</title></circle>")
    size = f'viewBox="0 0 {_short(width)} {_short(height)}" width="{_short(width)}" height="{_short(height)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONTS}" fill="none">'
    return "\n".join([head, *renderer.parts, "</svg>\n"])


def _written(words: str) -> str:
    """Words as XML may hold them: without control characters."""
    return escape("".join(letter if letter.isprintable() else " " for letter in words))


def _is_circle(path: Any) -> bool:
    return len(path.vertices) == _DOT and path.codes is not None and path.codes[1] == Path.CURVE4


def _short(value: float) -> str:
    """A length to a hundredth of a point."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) >= 0.005 else "0"


class _Renderer(RendererBase):
    """Matplotlib's drawing operations, each written as one element."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.parts: list[str] = []
        self._groups: list[str | None] = []
        self._to_page = Affine2D().scale(1.0, -1.0).translate(0.0, height)

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self.width, self.height

    def option_image_nocomposite(self) -> bool:
        return True

    def open_group(self, s: str, gid: str | None = None) -> None:
        self._groups.append(gid)
        if name := (gid or "").partition("|")[0]:
            self.parts.append(f"<g data-part={quoteattr(name)}>")

    def close_group(self, s: str) -> None:
        if (self._groups.pop() or "").partition("|")[0]:
            self.parts.append("</g>")

    # The names of arguments are matplotlib's.
    def draw_path(
        self,
        gc: GraphicsContextBase,
        path: Path,
        transform: Transform,
        rgbFace: Any = None,  # noqa: N803
    ) -> None:
        style = self._style(gc, rgbFace)
        shape = self._shape(gc, path, transform, filled=rgbFace is not None) if style else ""
        if shape:
            self.parts.append(f'<path{style} d="{shape}"/>')

    def draw_markers(
        self,
        gc: GraphicsContextBase,
        marker_path: Path,
        marker_trans: Transform,
        path: Path,
        trans: Transform,
        rgbFace: Any = None,  # noqa: N803
    ) -> None:
        """All marks of a series as one shape; many dots as the round ends of lines without length."""
        places = [
            (x, y)
            for vertices, _ in path.iter_segments(trans, simplify=False)
            for x, y in [vertices[-2:]]
            if np.isfinite(x) and np.isfinite(y) and self._inside(gc, x, y)
        ]
        if len(places) > _MANY and _is_circle(marker_path):
            (left, _), (right, _) = marker_trans.transform([[-1.0, 0.0], [1.0, 0.0]])
            dots = "".join(f"M{x:.1f} {self.height - y:.1f}h.01" for x, y in places)
            colour, opacity = to_hex(rgbFace[:3]), gc.get_alpha() if gc.get_forced_alpha() else rgbFace[3]
            name = f' class="s {NAMED[colour]}"' if colour in NAMED else ""
            self.parts.append(
                f'<path{name} stroke="{colour}" stroke-opacity="{opacity:.2g}" stroke-linecap="round"'
                f' stroke-width="{_short(right - left)}" d="{dots}"/>'
            )
        elif places:
            marks = [
                self._shape(gc, marker_path, marker_trans + Affine2D().translate(x, y), filled=True)
                for x, y in places
            ]
            self.parts.append(f'<path{self._style(gc, rgbFace)} d="{"".join(marks)}"/>')

    def option_scale_image(self) -> bool:
        return True

    def draw_image(self, gc: GraphicsContextBase, x: float, y: float, im: Any, transform: Any = None) -> None:
        """The pixels as they are, as large as `transform` makes the unit square."""
        from PIL import Image

        (left, first), (right, last) = (transform + Affine2D().translate(x, y)).transform([[0, 0], [1, 1]])
        data = io.BytesIO()
        Image.fromarray(im if first < last else im[::-1]).save(data, "png", optimize=True)
        place = f'x="{_short(left)}" y="{_short(self.height - max(first, last))}" preserveAspectRatio="none"'
        size = f'width="{_short(right - left)}" height="{_short(abs(last - first))}"'
        encoded = base64.b64encode(data.getvalue()).decode()
        self.parts.append(f'<image {place} {size} href="data:image/png;base64,{encoded}"/>')

    def draw_text(
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: Any,
        angle: float,
        ismath: bool | str = False,
        mtext: Any = None,
    ) -> None:
        """One line of text, anchored where it is aligned: another font may be wider or narrower."""
        side = (
            mtext.get_horizontalalignment()
            if mtext is not None
            else (self._groups[-1] or "").partition("|")[2]
        )
        anchor = _ANCHORS.get(str(side), "")
        width, _, _ = self.get_text_width_height_descent(s, prop, False)
        x += {"middle": width / 2, "end": width}.get(anchor, 0.0)
        colour = to_hex(gc.get_rgb()[:3])
        name, bold = TEXT_NAMED.get(colour, ""), prop.get_weight() in ("bold", 700)
        self.parts.append(
            f'<text x="{_short(x)}" y="{_short(y)}" font-size="{prop.get_size_in_points():g}" fill="{colour}"'
            + (f' class="t {name}"' if name else "")
            + (f' text-anchor="{anchor}"' if anchor else "")
            + (' font-weight="bold"' if bold else "")
            + f">{_written(s)}</text>"
        )

    def _style(self, gc: GraphicsContextBase, face: Any) -> str:
        """Fill, stroke and class of a shape."""
        classes, style = [], ""
        forced = gc.get_forced_alpha()
        for role, rgba, shown in (
            ("fill", face, face is not None),
            ("stroke", gc.get_rgb(), gc.get_linewidth() > 0),
        ):
            if not shown or rgba is None:
                continue
            opacity = gc.get_alpha() if forced else rgba[3] if len(rgba) > 3 else 1.0
            if not opacity:
                continue
            colour = to_hex(rgba[:3])
            style += f' {role}="{colour}"' + (f' {role}-opacity="{opacity:.2g}"' if opacity < 1 else "")
            if name := NAMED.get(colour):
                classes += [role[0], name]
            if role == "stroke":
                style += f' stroke-width="{_short(gc.get_linewidth())}"'
                dashes: Any = gc.get_dashes()[1]
                if dashes is not None:
                    style += f' stroke-dasharray="{" ".join(map(_short, dashes))}"'
                if gc.get_joinstyle() == "round":
                    style += ' stroke-linejoin="round"'
        return (f' class="{" ".join(dict.fromkeys(classes))}"' if classes else "") + style

    def _clip(self, gc: GraphicsContextBase) -> tuple[float, float, float, float] | None:
        box = gc.get_clip_rectangle()
        return None if box is None else tuple(box.extents)  # type: ignore[return-value]

    def _inside(self, gc: GraphicsContextBase, x: float, y: float) -> bool:
        box = self._clip(gc)
        return box is None or (box[0] - 1 <= x <= box[2] + 1 and box[1] - 1 <= y <= box[3] + 1)

    def _shape(self, gc: Any, path: Any, transform: Transform, *, filled: bool) -> str:
        """The path's commands, cut at the panel's edge; a circle as two arcs."""
        if _is_circle(path):
            (x, y), (right, _) = (transform + self._to_page).transform([[0.0, 0.0], [1.0, 0.0]])
            r, across = _short(right - x), _short(2 * (right - x))
            return f"M{_short(2 * x - right)} {_short(y)}a{r} {r} 0 1 0 {across} 0a{r} {r} 0 1 0 -{across} 0z"
        box, path = self._clip(gc), path.transformed(transform)
        straight = path.codes is None or Path.CURVE4 not in path.codes
        if box and filled and straight:
            path = path.clip_to_bbox(gc.get_clip_rectangle())
        steps: list[str] = []
        clip = None if filled else box
        for points, code in path.iter_segments(clip=clip, simplify=False, curves=True):
            if code == Path.CLOSEPOLY:
                steps.append("z")
                continue
            at = self._to_page.transform(np.reshape(points, (-1, 2))).ravel()
            steps.append(_CODES[code][0] + " ".join(map(_short, at)))
        return "".join(steps)
