//! The words and the decisions of Plimsoll: pure, synchronous, without IO.
//!
//! Reading order follows the flow. An [`image`] is opened elsewhere and catalogued into an [`inventory`];
//! [`advisory`] says what a feed stated and how it is looked up; [`matching::find`] joins the two into
//! [`finding`]s with their [`coverage`]; [`policy::judge`] turns those into a verdict. What could not be
//! known on the way is a [`gap`], a value in the result. [`evidence`] is what signatures and attestations prove. [`scan`] has the words for where a scan of a server stands.
//!
//! Whether a digest may ship is another question: [`promotion`] is what is asked, [`clearance`] what was seen and the
//! answer, [`rules`] one question each.
//!
//! Four registries of rows live here: [`schemes`] (version orderings), [`ecosystems`] (kinds of packages),
//! [`distros`] (distributions) and [`rules`].

pub mod advisory;
pub mod assessment;
pub mod clearance;
pub mod coverage;
pub mod digest;
pub mod distros;
pub mod ecosystems;
pub mod evidence;
pub mod finding;
pub mod gap;
pub mod image;
pub mod inventory;
pub mod matching;
pub mod policy;
pub mod promotion;
pub mod purl;
pub mod rules;
pub mod scan;
pub mod schemes;
pub mod standings;
pub mod windows;
