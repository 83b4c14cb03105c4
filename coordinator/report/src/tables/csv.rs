//! The canonical CSV form: LF, RFC 4180 quotes only where needed, empty for null, `true`/`false`,
//! and floats as the shortest text that reads back to the same bits, always with a decimal point or
//! an exponent (`1.0`, `0.05`, `1e-8`). Written here, since the form of polars' own writer may
//! change with its version.

use polars::prelude::{Column, DataFrame, DataType, PolarsResult};

use crate::ReportError;
use crate::text::shown;

pub(crate) fn csv_bytes(frame: &DataFrame, table: &'static str) -> Result<Vec<u8>, ReportError> {
    let columns: Vec<Vec<String>> = frame
        .columns()
        .iter()
        .map(cells)
        .collect::<PolarsResult<_>>()
        .map_err(|source| ReportError::Table { table, source })?;
    let mut text = String::new();
    let names: Vec<String> = frame.columns().iter().map(|c| quoted(c.name())).collect();
    text.push_str(&names.join(","));
    text.push('\n');
    for row in 0..frame.height() {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&column[row]);
        }
        text.push('\n');
    }
    Ok(text.into_bytes())
}

fn cells(column: &Column) -> PolarsResult<Vec<String>> {
    let or_empty = |cell: Option<String>| cell.unwrap_or_default();
    Ok(match column.dtype() {
        DataType::Float64 => {
            column.f64()?.iter().map(|cell| or_empty(cell.map(|x| format!("{x:?}")))).collect()
        }
        DataType::UInt64 => {
            column.u64()?.iter().map(|cell| or_empty(cell.map(|n| n.to_string()))).collect()
        }
        DataType::Boolean => {
            column.bool()?.iter().map(|cell| or_empty(cell.map(|b| b.to_string()))).collect()
        }
        _ => column.str()?.iter().map(|cell| or_empty(cell.map(quoted))).collect(),
    })
}

/// What begins a formula in a spreadsheet, some of them in wide letters too.
const FORMULA_STARTS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A text cell. One that a spreadsheet would run as a formula begins with an apostrophe; no text
/// that the program itself writes does.
fn quoted(text: &str) -> String {
    let mut cell = shown(text);
    if cell.starts_with(FORMULA_STARTS) {
        cell.insert(0, '\'');
    }
    if cell.contains([',', '"']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::columns::Columns;
    use super::*;
    use crate::text::hostile;

    #[test]
    fn every_kind_of_cell_has_one_form() {
        let mut columns = Columns::new(3);
        columns.text("t", ["a,b", "say \"x\"", "plain"].map(|t| Some(t.to_string())).into_iter());
        columns.number("x", [Some(1.0), Some(1e-8), None].into_iter());
        columns.count("n", [Some(7), None, Some(u64::MAX)].into_iter());
        columns.flag("f", [Some(true), Some(false), None].into_iter());
        let bytes = csv_bytes(&columns.frame().unwrap(), "test").unwrap();
        let expected = "t,x,n,f\n\"a,b\",1.0,7,true\n\"say \"\"x\"\"\",1e-8,,false\nplain,,18446744073709551615,\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn nothing_that_begins_a_formula_begins_a_cell() {
        for start in FORMULA_STARTS {
            assert_eq!(quoted(&format!(" {start}HYPERLINK(1)")), format!("'{start}HYPERLINK(1)"));
        }
        assert_eq!(quoted("256-128-64"), "256-128-64");
    }

    proptest! {
        #[test]
        fn texts_read_as_they_are_and_never_as_formulas(text in hostile::text()) {
            let mut columns = Columns::new(1);
            let (word, formula) = (format!("x{text}"), format!("={text}"));
            columns.text("t", [Some(word.clone())].into_iter());
            columns.text("f", [Some(formula.clone())].into_iter());
            columns.count("n", [Some(7)].into_iter());
            let bytes = csv_bytes(&columns.frame().unwrap(), "test").unwrap();
            let read: Vec<_> = csv::Reader::from_reader(&bytes[..]).into_records().collect();
            let [Ok(row)] = &read[..] else { panic!("{read:?}") };
            let expected = vec![shown(&word), format!("'{}", shown(&formula)), "7".into()];
            prop_assert_eq!(row, &expected);
        }
    }
}
