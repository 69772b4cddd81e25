//! A canvas for the charts' library that writes SVG for a page. Colours are numbers of inks: what an ink looks like, in
//! the light and in the dark, is said by the style sheet.

use std::convert::Infallible;

use maud::{Markup, PreEscaped, html};
use plotters::style::Color;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

/// What something is drawn with: its place in [`CLASSES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Lines across the chart.
    Grid,
    /// Axes.
    Axis,
    /// Labels.
    Label,
    /// A line, by its number.
    Line(u8),
    /// The interval around it.
    Band(u8),
}

/// The class of each ink.
const CLASSES: [&str; 7] = ["grid", "axis", "label", "line-0", "line-1", "band-0", "band-1"];

/// How wide a letter of a label is, and how high a line of them, in the units of the drawing.
const LETTER: (u32, u32) = (7, 14);

impl Color for Ink {
    fn to_backend_color(&self) -> BackendColor {
        let number = match self {
            Self::Grid => 0,
            Self::Axis => 1,
            Self::Label => 2,
            Self::Line(n) => 3 + n.min(&1),
            Self::Band(n) => 5 + n.min(&1),
        };
        BackendColor { alpha: 1.0, rgb: (number, 0, 0) }
    }
}

fn class(color: BackendColor) -> &'static str {
    CLASSES.get(usize::from(color.rgb.0)).copied().unwrap_or("label")
}

/// Elements in the making.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// Width and height.
    pub size: (u32, u32),
    /// What was drawn.
    pub out: &'a mut String,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl Canvas<'_> {
    #[expect(clippy::unnecessary_wraps, reason = "the library asks for a result")]
    fn add(&mut self, element: Markup) -> Drawn {
        let PreEscaped(element) = element;
        self.out.push_str(&element);
        Ok(())
    }
}

impl DrawingBackend for Canvas<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.add(html! { rect class=(class(color)) x=(x) y=(y) width="1" height="1" {} })
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.add(html! { line class=(class(style.color())) x1=(from.0) y1=(from.1) x2=(to.0) y2=(to.1) {} })
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, _: bool) -> Drawn {
        let (width, height) = (to.0 - from.0, to.1 - from.1);
        self.add(html! { rect class=(class(style.color())) x=(from.0) y=(from.1) width=(width) height=(height) {} })
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        self.add(html! { polyline class=(class(style.color())) points=(points(path)) {} })
    }

    fn draw_circle<S: BackendStyle>(&mut self, centre: BackendCoord, radius: u32, style: &S, _: bool) -> Drawn {
        self.add(html! { circle class=(class(style.color())) cx=(centre.0) cy=(centre.1) r=(radius) {} })
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, edge: I, style: &S) -> Drawn {
        self.add(html! { polygon class=(class(style.color())) points=(points(edge)) {} })
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let anchor = style.anchor();
        let along = match anchor.h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        let down = match anchor.v_pos {
            VPos::Top => ".75em",
            VPos::Center => ".35em",
            VPos::Bottom => "0",
        };
        self.add(html! { text class=(class(style.color())) x=(x) y=(y) dy=(down) text-anchor=(along) { (text) } })
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        _: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Ok((letters.saturating_mul(LETTER.0), LETTER.1))
    }

    fn blit_bitmap(&mut self, _: BackendCoord, _: (u32, u32), _: &[u8]) -> Drawn {
        // There are no pictures in charts.
        Ok(())
    }
}

fn points(path: impl IntoIterator<Item = BackendCoord>) -> String {
    path.into_iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ink_has_a_class_of_its_own() {
        let inks = [Ink::Grid, Ink::Axis, Ink::Label, Ink::Line(0), Ink::Line(1), Ink::Band(0), Ink::Band(1)];
        assert_eq!(inks.map(|ink| class(ink.to_backend_color())), CLASSES);
    }
}
