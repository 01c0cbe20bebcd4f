//! The roll of tests: makes one `#[test]` of each test and kind.

macro_rules! conformance {
    (
        everywhere { $($all:ident :: $every:ident,)* }
        postgresql_and_mariadb { $($servers:ident :: $server:ident,)* }
        postgresql { $($postgresql:ident :: $postgresql_only:ident,)* }
        mariadb { $($mariadb:ident :: $mariadb_only:ident,)* }
        sqlite { $($sqlite:ident :: $sqlite_only:ident,)* }
    ) => {
        mod postgresql {
            $(case!(Postgresql, $all::$every);)*
            $(case!(Postgresql, $servers::$server);)*
            $(case!(Postgresql, $postgresql::$postgresql_only);)*
        }
        mod mariadb {
            $(case!(Mariadb, $all::$every);)*
            $(case!(Mariadb, $servers::$server);)*
            $(case!(Mariadb, $mariadb::$mariadb_only);)*
        }
        mod sqlite {
            $(case!(Sqlite, $all::$every);)*
            $(case!(Sqlite, $sqlite::$sqlite_only);)*
        }
    };
}

macro_rules! case {
    ($kind:ident, $room:ident :: $test:ident) => {
        #[test]
        fn $test() {
            crate::fixture::run(crate::fixture::Kind::$kind, crate::$room::$test);
        }
    };
}
