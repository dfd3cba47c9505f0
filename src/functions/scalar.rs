//! The one frame that every function of ours stands in: name, what it takes, what it gives, and a body over whole columns.
//!
//! Always: two functions are equal when their names are; a reader's name holds its column, so that a common-subexpression pass never
//! mixes two readers up.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// What one argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    /// Any integer; arrives as Int64.
    Int,
    /// Date32.
    Date,
    /// As it comes.
    Any,
}

impl Takes {
    fn accept(self, found: &DataType) -> Option<DataType> {
        match self {
            Self::Any => Some(found.clone()),
            Self::Text => {
                let text = matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
                (text || found.is_null()).then_some(DataType::Utf8)
            }
            Self::Int => (found.is_integer() || found.is_null()).then_some(DataType::Int64),
            Self::Date => (matches!(found, DataType::Date32) || found.is_null()).then_some(DataType::Date32),
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "an integer",
            Self::Date => "a date",
            Self::Any => "anything",
        }
    }
}

type Body = dyn Fn(&Call) -> Result<ArrayRef> + Send + Sync;

/// A function: fixed arguments, then at least `least` and any number of `rest`.
#[derive(Clone)]
pub(super) struct Scalar {
    name: String,
    takes: Vec<Takes>,
    rest: Option<(Takes, usize)>,
    gives: DataType,
    /// The argument whose type it gives, instead.
    like: Option<usize>,
    signature: Signature,
    body: Arc<Body>,
}

impl Scalar {
    /// A function of exactly these arguments.
    pub(super) fn new(name: impl Into<String>, takes: &[Takes], gives: DataType) -> Self {
        Self {
            name: name.into(),
            takes: takes.to_vec(),
            rest: None,
            gives,
            like: None,
            signature: Signature::user_defined(Volatility::Immutable),
            body: Arc::new(|_| exec_err!("a function without a body")),
        }
    }

    /// Takes further arguments, at least `least`.
    pub(super) fn and_more(mut self, of: Takes, least: usize) -> Self {
        self.rest = Some((of, least));
        self
    }

    /// Gives what the argument of that number is.
    pub(super) fn gives_like(mut self, argument: usize) -> Self {
        self.like = Some(argument);
        self
    }

    /// Finishes the function with its body: an array of `call.rows` values of the declared type.
    pub(super) fn does(
        mut self,
        body: impl Fn(&Call) -> Result<ArrayRef> + Send + Sync + 'static,
    ) -> ScalarUDF {
        self.body = Arc::new(body);
        ScalarUDF::new_from_impl(self)
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scalar").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Scalar {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, found: &[DataType]) -> Result<DataType> {
        Ok(self.like.and_then(|at| found.get(at)).unwrap_or(&self.gives).clone())
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        let least = self.takes.len() + self.rest.map_or(0, |(_, least)| least);
        if found.len() < least || (self.rest.is_none() && found.len() > least) {
            let more = if self.rest.is_some() { "at least " } else { "" };
            return plan_err!("{} takes {more}{least} arguments, {} were given", self.name, found.len());
        }
        let rest = self.rest.map_or(Takes::Any, |(takes, _)| takes);
        let takes = self.takes.iter().copied().chain(std::iter::repeat(rest));
        let one = |(i, (takes, found)): (usize, (Takes, &DataType))| match takes.accept(found) {
            Some(to) => Ok(to),
            None => plan_err!("argument {} of {} is {found}, not {}", i + 1, self.name, takes.says()),
        };
        takes.zip(found).enumerate().map(one).collect()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let call = Call { args: args.args, rows: args.number_rows };
        (self.body)(&call).map(ColumnarValue::Array)
    }
}

/// The arguments of one call.
pub(super) struct Call {
    pub(super) args: Vec<ColumnarValue>,
    pub(super) rows: usize,
}

impl Call {
    /// An argument as text, readable by row.
    pub(super) fn text(&self, i: usize) -> Result<Text> {
        match &self.args[i] {
            ColumnarValue::Scalar(ScalarValue::Utf8(v)) => Ok(Text::One(v.clone())),
            ColumnarValue::Scalar(v) => {
                let array = cast(&v.to_array()?, &DataType::Utf8)?;
                let text = array.as_string::<i32>();
                Ok(Text::One(text.is_valid(0).then(|| text.value(0).to_owned())))
            }
            ColumnarValue::Array(a) => Ok(Text::Many(cast(a, &DataType::Utf8)?.as_string::<i32>().clone())),
        }
    }

    /// An argument that must be a literal text.
    pub(super) fn literal(&self, i: usize, what: &str) -> Result<String> {
        match self.text(i)? {
            Text::One(Some(v)) => Ok(v),
            Text::One(None) | Text::Many(_) => exec_err!("{what} must be a text literal"),
        }
    }

    /// An argument as Int64.
    pub(super) fn ints(&self, i: usize) -> Result<Int64Array> {
        let array = self.args[i].to_array(self.rows)?;
        Ok(cast(&array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    }

    /// An argument as an array of its own type.
    pub(super) fn array(&self, i: usize) -> Result<ArrayRef> {
        self.args[i].to_array(self.rows)
    }
}

/// Text by row: one value for all, or a column.
pub(super) enum Text {
    One(Option<String>),
    Many(StringArray),
}

impl Text {
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::One(v) => v.as_deref(),
            Self::Many(a) => a.is_valid(row).then(|| a.value(row)),
        }
    }
}
