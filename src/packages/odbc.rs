//! Drivers of ODBC, by the names that connection strings have for them.
//!
//! **Invariant:** a name is one that the driver's own package registers in `odbcinst.ini`.

const TABLE: &str = include_str!("data/odbc.tsv");

/// A driver that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OdbcDriver {
    /// The name that it is registered under.
    pub name: &'static str,
    /// The Debian package that registers it; none for a vendor's driver.
    pub package: Option<&'static str>,
    /// The recipe that installs it, where there is one.
    pub recipe: Option<&'static str>,
}

impl OdbcDriver {
    /// The line of a spec that installs a driver by its recipe, in the release that its name has.
    pub fn recipe_line(&self) -> Option<String> {
        let version: String = self.name.chars().filter(char::is_ascii_digit).collect();
        let recipe = self.recipe?;
        Some(format!("recipes = {{ {recipe} = {{ version = {version}, accept_eula = true }} }}"))
    }
}

fn drivers() -> impl Iterator<Item = OdbcDriver> {
    TABLE.lines().skip(1).filter_map(|line| {
        let mut columns = line.split('\t').map(|column| Some(column).filter(|c| *c != "-"));
        Some(OdbcDriver {
            name: columns.next()??,
            package: columns.next()?,
            recipe: columns.next()?,
        })
    })
}

/// The driver of a name, as the driver manager compares names: whatever their case.
pub fn odbc_driver(name: &str) -> Option<OdbcDriver> {
    drivers().find(|driver| driver.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_has_a_package_or_a_recipe() {
        let all: Vec<OdbcDriver> = drivers().collect();
        assert_eq!(all.len(), TABLE.lines().count() - 1);
        for driver in &all {
            assert_eq!(driver.package.is_some(), driver.recipe.is_none(), "{driver:?}");
            assert_eq!(odbc_driver(&driver.name.to_uppercase()), Some(*driver));
        }
        assert!(all.is_sorted_by_key(|driver| driver.name));
        assert_eq!(odbc_driver("Oracle"), None);
    }

    #[test]
    fn a_recipe_is_taken_in_the_release_of_the_name() {
        for (name, line) in [
            ("odbc driver 17 for sql server", Some(17)),
            ("ODBC Driver 18 for SQL Server", Some(18)),
            ("SQLite3", None),
        ] {
            let line = line.map(|version| {
                format!(
                    "recipes = {{ mssql-odbc = {{ version = {version}, accept_eula = true }} }}"
                )
            });
            assert_eq!(odbc_driver(name).and_then(|driver| driver.recipe_line()), line, "{name}");
        }
    }
}
