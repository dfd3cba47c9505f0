//! Requests as text: the SQL batch, and the call of sp_executesql with its parameters put into the statement as literals.
//!
//! Always: malformed input is `Malformed` (the connection closes), a well-formed call that is not supported an SQL error (the
//! session goes on).

use bytes::{Buf, BytesMut, TryGetError};

use super::super::value::SqlError;
use super::literal;

/// sp_executesql, as a procedure id.
const EXECUTE_SQL: u16 = 10;

/// An output parameter.
const BY_REFERENCE: u8 = 1;

/// Why a request gives no text.
#[derive(Debug)]
pub enum Refused {
    Malformed,
    Sql(SqlError),
}

impl From<TryGetError> for Refused {
    fn from(_: TryGetError) -> Self {
        Self::Malformed
    }
}

pub fn unsupported(number: u32, message: String) -> SqlError {
    SqlError { number, state: 1, class: 16, message }
}

fn refuse<T>(number: u32, message: String) -> Result<T, Refused> {
    Err(Refused::Sql(unsupported(number, message)))
}

/// A part of the request, where the request is long enough.
pub fn split(body: &mut BytesMut, length: usize) -> Result<BytesMut, Refused> {
    if length > body.len() { Err(Refused::Malformed) } else { Ok(body.split_to(length)) }
}

/// UTF-16 as text; a lone surrogate becomes U+FFFD, for the session takes text.
pub fn utf16(bytes: &[u8]) -> Result<String, Refused> {
    if !bytes.len().is_multiple_of(2) {
        return Err(Refused::Malformed);
    }
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    Ok(String::from_utf16_lossy(&units))
}

/// ALL_HEADERS: nothing in them is needed, for transactions are begun as text.
fn skip_headers(body: &mut BytesMut) -> Result<(), Refused> {
    let length = body.try_get_u32_le()? as usize;
    split(body, length.checked_sub(4).ok_or(Refused::Malformed)?)?;
    Ok(())
}

/// A batch's text.
pub fn batch(mut body: BytesMut) -> Result<String, Refused> {
    skip_headers(&mut body)?;
    utf16(&body)
}

/// The text that a call of sp_executesql comes down to.
pub fn call(mut body: BytesMut) -> Result<String, Refused> {
    skip_headers(&mut body)?;
    let length = body.try_get_u16_le()?;
    if length == u16::MAX {
        let id = body.try_get_u16_le()?;
        if id != EXECUTE_SQL {
            return refuse(2812, format!("Could not find stored procedure number {id}."));
        }
    } else {
        let name = utf16(&split(&mut body, usize::from(length) * 2)?)?;
        if !name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("sp_executesql")) {
            return refuse(2812, format!("Could not find stored procedure '{name}'."));
        }
    }
    // Option flags: recompile and metadata, without meaning here.
    body.try_get_u16_le()?;
    let statement = match parameter(&mut body)?.1 {
        literal::Value::Text(text) => text,
        _ => {
            return refuse(
                214,
                "Procedure expects parameter '@statement' of type 'ntext/nchar/nvarchar'.".into(),
            );
        }
    };
    if !body.is_empty() {
        // The declarations; the values carry their types themselves.
        parameter(&mut body)?;
    }
    let mut parameters = Vec::new();
    while !body.is_empty() {
        let (name, value) = parameter(&mut body)?;
        parameters.push((name, value.into_sql()));
    }
    Ok(literal::substitute(&statement, &parameters))
}

fn parameter(body: &mut BytesMut) -> Result<(String, literal::Value), Refused> {
    let length = usize::from(body.try_get_u8()?) * 2;
    let name = utf16(&split(body, length)?)?;
    if body.try_get_u8()? & BY_REFERENCE != 0 {
        return refuse(8162, format!("The formal parameter \"{name}\" cannot be an OUTPUT parameter here."));
    }
    Ok((name, literal::read(body)?))
}
